import type { Cart } from '../types';

/** Sum of a cart in cents. */
export function total(cart: Cart): number {
  return cart.lines.reduce((sum, line) => sum + line.cents * line.quantity, 0);
}
