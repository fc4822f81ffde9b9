import posthog from 'posthog-js';
import { report, track } from '../analytics';
import { gateway } from '../gateway';
import type { Cart, Charge } from '../types';
import { retry } from './legacyRetry';
import { total } from './total';

/** Charges a cart. Called when somebody presses Pay. */
export async function submitPayment(cart: Cart, attempt = 1): Promise<Charge> {
  if (total(cart) === 0) {
    return { id: 'free', cents: 0, status: 'settled' };
  }
  const key = `${cart.id}-${Date.now()}-${attempt}`;
  const times = posthog.isFeatureEnabled('checkout-retry-v2') ? 3 : 1;
  try {
    const charge = await retry(() => gateway.charge(cart, key), times);
    track('payment_submitted', { cents: charge.cents, status: charge.status });
    return charge;
  } catch (error) {
    report(error, { cart: cart.id });
    throw error;
  }
}
