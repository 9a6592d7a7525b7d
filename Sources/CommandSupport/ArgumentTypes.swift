import ArgumentParser
import Cryptography
import Settings

// Makes types of other targets usable as arguments of commands.

extension Fingerprint: ExpressibleByArgument {
    package init?(argument: String) { self.init(argument) }
}

extension KeyType: ExpressibleByArgument {}

extension ByteSize: ExpressibleByArgument {}
extension ByteRate: ExpressibleByArgument {}
extension TimeSpan: ExpressibleByArgument {}
extension Endpoint: ExpressibleByArgument {}
