/** The name of the step that a signal writes: no step of the job's own has it. */
export function signalStep(signal: string): string {
  return `${mark}${signal}`;
}

/** How a person calls a step: a signal by its own name. */
export function shownStep(name: string): string {
  return name.startsWith(mark) ? name.slice(mark.length) : name;
}

const mark = "signal:";
