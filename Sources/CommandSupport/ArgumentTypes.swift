import ArgumentParser
import Cryptography

// Command-line forms of values from the lower targets.

extension Fingerprint: ExpressibleByArgument {
    package init?(argument: String) { self.init(argument) }
}

extension KeyType: ExpressibleByArgument {}
