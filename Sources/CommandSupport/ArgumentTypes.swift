import ArgumentParser
import Cryptography

// How values of the lower targets are written on the command line.

extension Fingerprint: ExpressibleByArgument {
    package init?(argument: String) { self.init(argument) }
}

extension KeyType: ExpressibleByArgument {}
