/** kafka-python with every codec, from PyPI, in build/kafka-python; made when it is missing. */
import { PythonEnvironment } from './python-environment.ts';

const environment = new PythonEnvironment(
  'kafka-python',
  ['kafka-python==3.0.12', 'lz4==4.4.5', 'python-snappy==0.7.3', 'zstandard==0.25.0'],
  (made) => made.runs('import kafka, lz4.frame, snappy, zstandard'),
);
export const { python } = environment;

/** Why kafka-python can't be had here, or undefined. */
export function preparePython(): string | undefined {
  return environment.prepare();
}
