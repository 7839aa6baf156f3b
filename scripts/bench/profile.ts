/**
 * A CPU profile of V8 as time by stage. A sample counts for the innermost of its frames that belongs to a stage; a frame
 * of no stage (a built-in function, a piece that several stages use) leaves it to its caller.
 */
export interface CpuProfile {
  readonly nodes: readonly ProfileNode[];
  readonly samples: readonly number[];
  /** From one sample to the next, µs. */
  readonly timeDeltas: readonly number[];
}

interface ProfileNode {
  readonly id: number;
  readonly callFrame: { readonly functionName: string; readonly url: string };
  readonly children?: readonly number[];
}

export interface Stage {
  readonly name: string;
  /** Of `<function>@<url>`, the first that fits. */
  readonly frames: RegExp;
}

/** What lies before the first and behind the last sample below these frames is left out. */
export interface Window {
  readonly first: RegExp;
  readonly last: RegExp;
}

const IDLE = '(idle)';

/** µs by stage, those of no stage under `rest`; idle time is nobody's. */
export function timeByStage(
  { nodes, samples, timeDeltas }: CpuProfile,
  stages: readonly Stage[],
  window: Window,
  rest: string,
): Map<string, number> {
  const parents = new Map<number, ProfileNode>();
  for (const node of nodes) for (const child of node.children ?? []) parents.set(child, node);
  const stageOf = new Map<number, string>();
  const firsts = new Set<number>();
  const lasts = new Set<number>();
  for (const leaf of nodes) {
    let stage: string | undefined;
    for (let node: ProfileNode | undefined = leaf; node !== undefined; node = parents.get(node.id)) {
      const frame = `${node.callFrame.functionName}@${node.callFrame.url}`;
      stage ??= stages.find(({ frames }) => frames.test(frame))?.name;
      if (window.first.test(frame)) firsts.add(leaf.id);
      if (window.last.test(frame)) lasts.add(leaf.id);
    }
    stageOf.set(leaf.id, leaf.callFrame.functionName === IDLE ? IDLE : (stage ?? rest));
  }
  const times = new Map<string, number>();
  const from = samples.findIndex((id) => firsts.has(id));
  const to = samples.findLastIndex((id) => lasts.has(id));
  for (let index = from; index <= to; index++) {
    const stage = stageOf.get(samples[index] as number) ?? rest;
    if (stage !== IDLE) times.set(stage, (times.get(stage) ?? 0) + (timeDeltas[index + 1] ?? 0));
  }
  return times;
}
