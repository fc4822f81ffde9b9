import { GatewayError } from '../gateway';

const FIRST_PAUSE_MS = 200;
const MAX_ATTEMPTS = 4;

export function isTransient(error: unknown): boolean {
  return error instanceof GatewayError && error.status >= 500;
}

/** Tries again with growing pauses. */
export async function withBackoff<T>(work: () => Promise<T>, attempts = MAX_ATTEMPTS): Promise<T> {
  for (let attempt = 1; ; attempt += 1) {
    try {
      return await work();
    } catch (error) {
      if (attempt >= attempts) {
        throw error;
      }
      const pause = FIRST_PAUSE_MS * 2 ** (attempt - 1);
      await new Promise((resolve) => setTimeout(resolve, pause));
    }
  }
}
