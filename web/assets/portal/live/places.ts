/** Lets only some pages of a browser hold a request: it has few connections to a host, and all pages share them. */

// Of the six that browsers have where HTTP/2 is not spoken.
const PLACES = ["events-1", "events-2"];

/** Runs `act` with whether it may hold a request; where the browser cannot tell, it may. */
export async function usePlace(act: (isFree: boolean) => Promise<void>): Promise<void> {
  const { locks } = window.navigator as { locks?: LockManager };
  if (locks === undefined) {
    return act(true);
  }
  for (const place of PLACES) {
    let wasFree = false as boolean;
    try {
      await locks.request(place, { ifAvailable: true }, async (lock) => {
        if (lock !== null) {
          wasFree = true;
          await act(true);
        }
      });
    } catch (error) {
      if (wasFree) {
        throw error;
      }
      // A browser that may store nothing for this site refuses locks too.
      return act(true);
    }
    if (wasFree) {
      return;
    }
  }
  return act(false);
}
