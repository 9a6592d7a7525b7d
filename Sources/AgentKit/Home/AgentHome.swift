package import Cryptography
import FoundationEssentials
package import SecureChannel
import SystemSupport
import TransferCommon
import WireProtocol

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
    /// Where `FileClock` keeps its first reading.
    package var clockPath: String { path + "/clock" }
    private var lockPath: String { path + "/lock" }

    private static let authorityFileName = "authority.crt"

    /// Makes a home. What is there already is never touched.
    ///
    /// - Parameters:
    ///   - gateway: `HOST:PORT`.
    ///   - pin: the gateway's fingerprint.
    /// - Returns: the device's fingerprint, for the gateway's device list.
    package func create(
        name: String, gateway: String, pin: Fingerprint, keyType: KeyType = .ed25519
    ) throws(AgentHomeError) -> Fingerprint {
        try create(name: name, keyType: keyType, configuration: ["gateway": gateway, "pin": pin.description])
    }

    /// Makes a home whose gateway is known by its certificate. What is there already is never touched.
    ///
    /// - Parameters:
    ///   - authorityPath: the authority's certificates, PEM; a copy is kept.
    ///   - gatewayName: what the gateway's certificate is for.
    /// - Returns: the device's fingerprint.
    package func create(
        name: String, gateway: String, authorityPath: String, gatewayName: String, keyType: KeyType
    ) throws(AgentHomeError) -> Fingerprint {
        let authority = try readAuthority(authorityPath)
        let configuration = ["gateway": gateway, "ca": Self.authorityFileName, "gateway-name": gatewayName]
        return try create(name: name, keyType: keyType, configuration: configuration) { () throws(FileError) in
            // Ahead of the configuration that names it.
            try AtomicFile.writeNew(authority, to: path + "/" + Self.authorityFileName, mode: .ownerWritesAllRead)
        }
    }

    /// - Returns: the file's content, which has been looked at.
    private func readAuthority(_ path: String) throws(AgentHomeError) -> [UInt8] {
        do {
            _ = try CertificateAuthority.load(from: path)
            return try BoundedFile.read(path, bytesMax: CertificateAuthority.fileBytesMax, access: .anyone)
        } catch {
            throw AgentHomeError(.unusable, "the authority that --ca names cannot be used: \(error)")
        }
    }

    private func create(
        name: String, keyType: KeyType, configuration: [String: String], _ writeMore: () throws(FileError) -> Void = {}
    ) throws(AgentHomeError) -> Fingerprint {
        do {
            try makeDirectory()
            let identity = try Identity.create(in: path, name: name, keyType: keyType)
            try writeMore()
            try AtomicFile.writeNew(Self.encoded(configuration), to: configurationPath, mode: .ownerOnly)
            return identity.fingerprint
        } catch {
            throw AgentHomeError(.unusable, "cannot make an agent's home in \(path): \(error)")
        }
    }

    /// The same for a device that was invited. What an earlier attempt left for the same gateway is gone on with, the
    /// key above all: the gateway may have it on its list. Its address may be another one by now.
    package func createOrGoOn(
        name: String, gateway: String, pin: Fingerprint, keyType: KeyType = .ed25519
    ) throws(AgentHomeError) {
        do {
            try makeDirectory()
            if !AtomicFile.exists(path + "/" + Identity.keyFileName) {
                // Of an attempt that ended before the key, which is written last.
                AtomicFile.remove(path + "/" + Identity.certificateFileName)
                AtomicFile.remove(path + "/" + Identity.requestFileName)
                _ = try Identity.create(in: path, name: name, keyType: keyType)
            }
            guard AtomicFile.exists(configurationPath) else {
                let bytes = try Self.encoded(["gateway": gateway, "pin": pin.description])
                return try AtomicFile.writeNew(bytes, to: configurationPath, mode: .ownerOnly)
            }
        } catch {
            throw AgentHomeError(.unusable, "cannot make an agent's home in \(path): \(error)")
        }
        var configuration = try configuration()
        guard try pins().keys.contains(pin) else {
            throw AgentHomeError(
                .unusable, "\(path) is a home for another gateway already; make another one with --home DIRECTORY")
        }
        guard configuration.updateValue(gateway, forKey: "gateway") != gateway else { return }
        do {
            try AtomicFile.write(Self.encoded(configuration), to: configurationPath, mode: .ownerOnly)
        } catch {
            throw AgentHomeError(.unusable, "cannot write \(configurationPath): \(error)")
        }
    }

    private func makeDirectory() throws {
        try FileManager.default.createDirectory(
            atPath: path, withIntermediateDirectories: true, attributes: [.posixPermissions: 0o700])
    }

    private static func encoded(_ configuration: [String: String]) throws -> [UInt8] {
        let encoder = JSONEncoder()
        encoder.outputFormatting = [.prettyPrinted, .sortedKeys, .withoutEscapingSlashes]
        return Array(try encoder.encode(configuration)) + [UInt8(ascii: "\n")]
    }

    /// How the gateway is known, as `create` was told.
    package func gatewayTrust() throws(AgentHomeError) -> TLSContext.GatewayTrust {
        let configuration = try configuration()
        guard let file = configuration["ca"] else { return .pinnedKeys(Set(try pins().keys)) }
        guard configuration["pin"] == nil else {
            throw AgentHomeError(
                .unusable, "\(configurationPath) has both pin and ca; remove the one that is not meant")
        }
        let host = try gateway().host
        do {
            let authority = try CertificateAuthority.load(from: file.isAbsolutePath ? file : path + "/" + file)
            return .authority(authority, gatewayName: configuration["gateway-name"] ?? host)
        } catch {
            throw AgentHomeError(.unusable, "the authority that \(configurationPath) names cannot be used: \(error)")
        }
    }

    /// The fingerprint that `create` was told, or the user has written since; `nil` where the gateway is known by its
    /// authority.
    func configuredPin() throws(AgentHomeError) -> Fingerprint? {
        let configuration = try configuration()
        return configuration["ca"] == nil ? try pin(configuration) : nil
    }

    /// The fingerprint of the gateway's key.
    private func pin(_ configuration: [String: String]) throws(AgentHomeError) -> Fingerprint {
        guard let pin = configuration["pin"].flatMap({ Fingerprint($0) }) else {
            throw AgentHomeError(
                .unusable, "\(configurationPath) has neither a pin, the gateway's fingerprint, nor a ca")
        }
        return pin
    }

    private func configuration() throws(AgentHomeError) -> [String: String] {
        do {
            let bytes = try BoundedFile.read(configurationPath, bytesMax: 64 << 10, access: .anyone)
            return try JSONDecoder().decode([String: String].self, from: Data(bytes))
        } catch {
            throw AgentHomeError(.unusable, "cannot read \(configurationPath): \(error)")
        }
    }

    /// The gateway's host and port, as `create` was told.
    func gateway() throws(AgentHomeError) -> (host: String, port: Int) {
        guard let text = try configuration()["gateway"], let colon = text.lastIndex(of: ":"),
            let port = Int(text[text.index(after: colon)...])
        else { throw AgentHomeError(.unusable, "\(configurationPath) names no gateway") }
        return (text[..<colon].filter { $0 != "[" && $0 != "]" }, port)
    }

    /// The device's key and certificate, as `create` made them, or as an authority signed it.
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
            // A program that is being started has the file open, too, until it runs: closing would leave it the lock.
            _ = flock(descriptor, LOCK_UN)
            close(descriptor)
        }
    }

    /// Whether a process works in the home now.
    package var isBusy: Bool {
        do {
            _ = try lock()
            return false
        } catch {
            return error.kind == .busy
        }
    }

    /// - Throws: where there is no home, as before `create`, or it is another user's.
    package func check() throws(AgentHomeError) {
        var status = stat()
        guard stat(path, &status) == 0 else { throw unusable(errno, path) }
        guard access(configurationPath, R_OK) == 0 || errno == ENOENT else { throw unusable(errno, configurationPath) }
    }

    /// What it means that a file of the home cannot be used.
    private func unusable(_ number: Int32, _ file: String) -> AgentHomeError {
        switch number {
        case ENOENT, ENOTDIR:
            AgentHomeError(.unusable, "there is no agent's home in \(path); make one with sluice-agent init")
        case ENOSPC, EDQUOT:
            AgentHomeError(
                .full, "this machine's disk is full: \(file) cannot be written; make room, then run it again")
        default:
            AgentHomeError(
                .unusable,
                "cannot use \(file) (\(systemMessage(number))); run sluice-agent as the user who made the home")
        }
    }

    /// - Throws: `busy` where another process has it.
    package func lock() throws(AgentHomeError) -> Lock {
        let descriptor = open(lockPath, O_RDWR | O_CREAT | O_CLOEXEC, 0o600)
        guard descriptor >= 0 else { throw unusable(errno, lockPath) }
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
        /// The disk that it is on is full.
        case full
    }

    package let kind: Kind
    package let description: String

    /// Of a program that ends because of this (after sysexits).
    package var exitCode: Int32 {
        switch kind {
        case .unusable: 66
        case .busy: 75
        case .full: 74
        }
    }

    package init(_ kind: Kind, _ description: String) {
        self.kind = kind
        self.description = description
    }
}
