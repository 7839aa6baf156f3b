/**
 * Stands in the executable for the Azure packages that tedious loads with itself: they cost 7 MB of resident memory and
 * log in to Azure AD, which hostspool does not offer. Whatever is asked of it says so.
 */
module.exports = new Proxy(
  {},
  {
    get(_, name) {
      if (name === '__esModule') return true;
      return function unavailable() {
        throw new Error(
          `hostspool logs in with SQL logins only: ${String(name)} of the Azure packages is not part of it`,
        );
      };
    },
  },
);
