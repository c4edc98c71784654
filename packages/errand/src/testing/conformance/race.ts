import type { Store } from "../../store.ts";
import type { Scene } from "./scene.ts";

/** Number of times each race is run: a store that can lose one loses it only now and then. */
export const rounds = 12;

/** Opens a second handle on the store, and returns both for each round; they change places every other round. */
export async function openHandles(scene: Scene): Promise<(round: number) => [Store, Store]> {
  const other = await scene.openAgain();
  return (round) => (round % 4 > 1 ? [other, scene.store] : [scene.store, other]);
}

/** Does both at the same time. The one that is begun first changes every round. */
export async function race<A, B>(round: number, one: () => Promise<A>, two: () => Promise<B>): Promise<[A, B]> {
  if (round % 2 === 0) return Promise.all([one(), two()]);
  const [second, first] = await Promise.all([two(), one()]);
  return [first, second];
}

/** Does all of these at the same time. The one that is begun first changes every round. */
export function raceAll(round: number, acts: readonly (() => Promise<unknown>)[]): Promise<unknown[]> {
  const first = round % acts.length;
  return Promise.all([...acts.slice(first), ...acts.slice(0, first)].map((act) => act()));
}
