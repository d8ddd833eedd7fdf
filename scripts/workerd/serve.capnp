@0x9d0f4c2be6a1f873;
# The normal server. `public` is for use as an API and observer, `withOrigin` when ORIGIN_URL is set.

using Workerd = import "/workerd/workerd.capnp";
using Common = import "common.capnp";

const public :Workerd.Config = (
  services = [(name = "main", worker = .Common.hellotide), .Common.storage, .Common.web, .Common.assets, .Common.publicOnly],
  sockets = [(name = "http", service = "main", http = ())],
);

const withOrigin :Workerd.Config = (
  services = [(name = "main", worker = .Common.hellotide), .Common.storage, .Common.web, .Common.assets, .Common.anyAddress],
  sockets = [(name = "http", service = "main", http = ())],
);
