/**
 * What keeps an idle agent small; measured in docs/performance.md. A small young generation, and a first collection of
 * the old one at 14 MB instead of some hundred; bytecode that two collections found unused, which is most of what
 * starting took, goes. Maglev as the one compiler: the code of TurboFan and Sparkplug is never touched and what runs once
 * a second is not compiled thrice. One thread for V8's own work, with one arena of malloc.
 */
export const NODE_FLAGS = [
  '--max-semi-space-size=1',
  '--initial-old-space-size=14',
  '--bytecode-old-age=2',
  '--max-opt=2',
  '--no-sparkplug',
  '--v8-pool-size=1',
  '--disable-sigusr1',
];
