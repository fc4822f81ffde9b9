import posthog from 'posthog-js';
import { track } from '../../analytics';
import { retry } from '../../payments/legacyRetry';
import { submitPayment } from '../../payments/submitPayment';
import type { Cart } from '../../types';

const PATIENCE_MS = 10_000;

/** POST /api/checkout */
export async function POST(request: Request): Promise<Response> {
  const { cart } = (await request.json()) as { cart: Cart };
  const started = Date.now();
  const charge = await submitPayment(cart);
  if (Date.now() - started > PATIENCE_MS) {
    track('checkout_timed_out', { cart: cart.id });
  }
  const sheet = posthog.isFeatureEnabled('pay-sheet-mobile');
  return Response.json({ charge, sheet }, { status: charge.status === 'declined' ? 402 : 200 });
}

/** POST /api/checkout/webhook: the gateway tells that a charge has settled. */
export async function webhook(request: Request): Promise<Response> {
  const event = await request.text();
  await retry(() => fetch('/internal/orders/settle', { method: 'POST', body: event }), 5);
  return new Response(null, { status: 204 });
}
