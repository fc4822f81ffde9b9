import posthog from 'posthog-js';
import { track } from '../analytics';
import { store } from '../store';
import type { Cart } from '../types';
import { PayButton } from './PayButton';

/** Rates of every country, read again on each visit. */
async function shippingRates(cart: Cart): Promise<number[]> {
  const rates: number[] = [];
  for (const line of cart.lines) {
    rates.push(Number(await store.get(`rates:${line.sku}`)));
  }
  return rates;
}

export async function openCheckout(cart: Cart): Promise<number> {
  const rates = await shippingRates(cart);
  track('checkout_started', { lines: cart.lines.length });
  return rates.reduce((sum, rate) => sum + rate, 0);
}

export function CheckoutPage({ cart, onPay }: { cart: Cart; onPay: () => Promise<void> }) {
  const layout = posthog.getFeatureFlag('express-checkout') === 'one-page' ? 'one-page' : 'steps';
  return (
    <main className={layout}>
      <PayButton label={`Pay for ${cart.lines.length} articles`} onPay={onPay} />
    </main>
  );
}
