import FoundationEssentials
package import SecureChannel

#if canImport(Musl)
    import Musl
#else
    import Glibc
#endif

/// The files of an agent: its identity, its configuration, its journal. One process at a time.
package struct AgentHome: Sendable {
    package let path: String

    package init(path: String) {
        self.path = path
    }

    package var configurationPath: String { path + "/agent.json" }
    package var journalPath: String { path + "/journal.sqlite" }
    private var lockPath: String { path + "/lock" }

    /// Makes a home. What is there already is never touched.
    ///
    /// - Parameters:
    ///   - gateway: `HOST:PORT`.
    ///   - pin: the gateway's fingerprint.
    /// - Returns: the device's fingerprint, for the gateway's device list.
    package func create(name: String, gateway: String, pin: Fingerprint) throws(AgentHomeError) -> Fingerprint {
        do {
            try FileManager.default.createDirectory(
                atPath: path, withIntermediateDirectories: true, attributes: [.posixPermissions: 0o700])
            let identity = try Identity.create(in: path, name: name)
            let encoder = JSONEncoder()
            encoder.outputFormatting = [.prettyPrinted, .sortedKeys, .withoutEscapingSlashes]
            let configuration = try encoder.encode(["gateway": gateway, "pin": pin.description])
            try AtomicFile.writeNew(
                Array(configuration) + [UInt8(ascii: "\n")], to: configurationPath, mode: .ownerOnly)
            return identity.fingerprint
        } catch {
            throw AgentHomeError(.unusable, "cannot make an agent's home in \(path): \(error)")
        }
    }

    /// The device's key and certificate, as `create` made them.
    package func identity() throws(AgentHomeError) -> Identity {
        do {
            return try Identity.load(from: path)
        } catch {
            throw AgentHomeError(
                .unusable, "cannot read the device's identity in \(path) (sluice-agent init makes one): \(error)")
        }
    }

    /// Held for as long as a process works in a home.
    package final class Lock: Sendable {
        private let descriptor: Int32

        fileprivate init(descriptor: Int32) {
            self.descriptor = descriptor
        }

        deinit {
            close(descriptor)
        }
    }

    /// - Throws: `busy` where another process has it.
    package func lock() throws(AgentHomeError) -> Lock {
        let descriptor = open(lockPath, O_RDWR | O_CREAT | O_CLOEXEC, 0o600)
        guard descriptor >= 0 else {
            throw AgentHomeError(.unusable, "cannot open \(lockPath): \(systemMessage(errno))")
        }
        guard flock(descriptor, LOCK_EX | LOCK_NB) == 0 else {
            close(descriptor)
            throw AgentHomeError(
                .busy, "another sluice-agent is at work in \(path); wait for it, or give this one a home of its own")
        }
        return Lock(descriptor: descriptor)
    }
}

/// Why a home could not be made or used.
package struct AgentHomeError: Error, Equatable, CustomStringConvertible {
    /// What a program does about it: another exit code for each.
    package enum Kind: Equatable, Sendable {
        case unusable
        case busy
    }

    package let kind: Kind
    package let description: String

    init(_ kind: Kind, _ description: String) {
        self.kind = kind
        self.description = description
    }
}
