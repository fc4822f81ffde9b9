import { track } from '../analytics';

interface Address {
  street: string;
  postcode: string;
  country: string;
}

/** Postcodes by country; a country that is missing here refuses every address. */
const POSTCODES: Record<string, RegExp> = {
  DE: /^\d{5}$/,
  NL: /^\d{4} [A-Z]{2}$/,
  SE: /^\d{3} \d{2}$/,
};

export function valid(address: Address): boolean {
  return POSTCODES[address.country]?.test(address.postcode) ?? false;
}

export function AddressForm({ address, onSave }: { address: Address; onSave: (address: Address) => void }) {
  const save = () => {
    if (valid(address)) {
      track('address_saved', { country: address.country });
      onSave(address);
    }
  };
  return (
    <form>
      <input name="postcode" defaultValue={address.postcode} />
      <button type="button" onClick={save}>
        Save
      </button>
    </form>
  );
}
