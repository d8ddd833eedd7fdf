@0xb7c35ad19e402f66;
# For tests on loopback only: any client could set request.cf here, and requests may go to this machine.

using Workerd = import "/workerd/workerd.capnp";
using Common = import "common.capnp";

const testCf :Workerd.Config = (
  services = [(name = "main", worker = .Common.hellotide), .Common.storage, .Common.web, .Common.assets, .Common.anyAddress],
  sockets = [(name = "http", service = "main", http = (cfBlobHeader = "x-test-cf"))],
);
