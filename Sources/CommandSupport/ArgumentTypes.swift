import ArgumentParser
import Cryptography

// How values of the lower rooms are written on a command line.

extension Fingerprint: ExpressibleByArgument {
    package init?(argument: String) { self.init(argument) }
}

extension KeyType: ExpressibleByArgument {}
