import posthog from 'posthog-js';
import { track } from '../analytics';
import { total } from '../payments/total';
import type { Cart } from '../types';
import { money } from '../orders/format';

export function CartDrawer({ cart, onPay }: { cart: Cart; onPay: () => void }) {
  const old = posthog.isFeatureEnabled('old-cart');
  const pay = () => {
    track('cart_pay_pressed', { lines: cart.lines.length });
    onPay();
  };
  return (
    <aside className={old ? 'drawer narrow' : 'drawer'} role="dialog" aria-label="Cart">
      {cart.lines.map((line) => (
        <p key={line.sku}>
          {line.quantity} × {line.title}
        </p>
      ))}
      <button onClick={pay}>Pay {money(total(cart))}</button>
    </aside>
  );
}
