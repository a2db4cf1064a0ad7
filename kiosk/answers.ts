/** What the door answers, for every device that shows it. */
import type { Feedback } from './feedback.ts';

export class Answers {
  readonly #listeners = new Set<(feedback: Feedback) => void>();

  tell(feedback: Feedback): void {
    for (const heard of this.#listeners) heard(feedback);
  }

  /** @param heard must not throw. @returns ends it. */
  listen(heard: (feedback: Feedback) => void): () => void {
    this.#listeners.add(heard);
    return () => this.#listeners.delete(heard);
  }
}
