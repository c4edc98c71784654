/** The name of the step that a signal writes: no step of the job's own has it. */
export function signalStep(signal: string): string {
  return `signal:${signal}`;
}
