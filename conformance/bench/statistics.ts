/** Medians and their spread. Pure. */

export interface Summary {
  readonly count: number;
  readonly median: number;
  /** First and third quartile: half of the samples lie between them. */
  readonly low: number;
  readonly high: number;
}

/** The value below which the part `fraction` of the samples lies; linear between neighbours. NaN when there are none. */
export function quantile(samples: readonly number[], fraction: number): number {
  const sorted = [...samples].sort((a, b) => a - b);
  const position = (sorted.length - 1) * fraction;
  const below = sorted[Math.floor(position)] ?? Number.NaN;
  const above = sorted[Math.ceil(position)] ?? Number.NaN;
  return below + (above - below) * (position - Math.floor(position));
}

export function summarize(samples: readonly number[]): Summary {
  return {
    count: samples.length,
    median: quantile(samples, 0.5),
    low: quantile(samples, 0.25),
    high: quantile(samples, 0.75),
  };
}

/** Ratios of the samples taken in the same round, so that what disturbs a round disturbs both sides. */
export function pairedRatios(samples: ReadonlyMap<number, number>, reference: ReadonlyMap<number, number>): number[] {
  return [...samples].flatMap(([round, value]) => {
    const other = reference.get(round);
    return other === undefined ? [] : [value / other];
  });
}
