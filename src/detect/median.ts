/** The value below which half of the weight lies; `undefined` of nothing. Sorts `points` in place. */
export function weightedMedian(points: { value: number; weight: number }[]): number | undefined {
  points.sort((a, b) => a.value - b.value);
  let half = 0;
  for (const { weight } of points) half += weight / 2;
  let seen = 0;
  for (const { value, weight } of points) {
    seen += weight;
    if (seen >= half) return value;
  }
  return undefined;
}
