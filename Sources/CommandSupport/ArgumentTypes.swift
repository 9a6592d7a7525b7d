import ArgumentParser
package import SecureChannel
package import WireProtocol

// How values of the lower rooms are written on a command line.

extension Fingerprint: ExpressibleByArgument {
    package init?(argument: String) { self.init(argument) }
}

extension KeyType: ExpressibleByArgument {}

extension ExistingKeyPolicy: ExpressibleByArgument {
    /// - Parameter argument: `verify`, `replace` or `fail`; *overwrite* is nothing that a person says.
    package init?(argument: String) {
        guard let policy = ["verify": Self.verify, "replace": .replace, "fail": .fail][argument] else { return nil }
        self = policy
    }
}
