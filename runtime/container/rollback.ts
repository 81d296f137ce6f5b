/** An undo stack: each step of `create` leaves here how it is taken back. */
export class Rollback {
  readonly #steps: (() => void)[] = [];

  add(step: () => void): void {
    this.#steps.push(step);
  }

  /** Takes everything back, last step first. Failures are returned, and do not keep other steps from running. */
  run(): unknown[] {
    const failures: unknown[] = [];
    for (let step = this.#steps.pop(); step !== undefined; step = this.#steps.pop()) {
      try {
        step();
      } catch (error) {
        failures.push(error);
      }
    }
    return failures;
  }
}
