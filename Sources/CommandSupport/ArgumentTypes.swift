import ArgumentParser
import Cryptography

// Makes types of other targets usable as arguments of commands.

extension Fingerprint: ExpressibleByArgument {
    package init?(argument: String) { self.init(argument) }
}

extension KeyType: ExpressibleByArgument {}
