import posthog from 'posthog-js';

type Facts = Record<string, string | number | boolean>;

/** Called once, when the shop has loaded. */
export function startAnalytics(): void {
  posthog.init('phc_demo', { api_host: '/ingest', capture_exceptions: true });
}

/** Tells the product that something has happened. */
export function track(name: string, facts: Facts = {}): void {
  posthog.capture(name, { shop: 'harbor', ...facts });
}

/** Tells the product that something went wrong, with where. */
export function report(error: unknown, facts: Facts = {}): void {
  posthog.captureException(error, { shop: 'harbor', ...facts });
}
