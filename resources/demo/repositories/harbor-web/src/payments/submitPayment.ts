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
  return retry(() => gateway.charge(cart, key), 3);
}
