import { retry } from '../../payments/legacyRetry';
import { submitPayment } from '../../payments/submitPayment';
import type { Cart } from '../../types';

/** POST /api/checkout */
export async function pay(request: Request): Promise<Response> {
  const { cart } = (await request.json()) as { cart: Cart };
  const charge = await submitPayment(cart);
  return Response.json({ charge }, { status: charge.status === 'declined' ? 402 : 200 });
}

/** POST /api/checkout/webhook: the gateway tells that a charge has settled. */
export async function webhook(request: Request): Promise<Response> {
  const event = await request.text();
  await retry(() => fetch('/internal/orders/settle', { method: 'POST', body: event }), 5);
  return new Response(null, { status: 204 });
}
