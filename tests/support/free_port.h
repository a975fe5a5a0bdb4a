// free_port.h - a place on this machine where nobody listens.
#pragma once

namespace pare::testing {

/// A TCP port of the loopback address on which nobody listens just now.
int free_port();

}  // namespace pare::testing
