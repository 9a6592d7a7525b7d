package import Cryptography
import FoundationEssentials
import SecureChannel
import Settings
import SystemSupport
import TransferCommon
import WireProtocol

#if canImport(Musl)
    import Musl
#else
    import Glibc
#endif

/// The files of an agent: its identity, configuration and journal. Only one process may work in a home at a time.
package struct AgentHome: Sendable {
    package let path: String
    private let settingsInForce: AgentSettings?

    /// - Parameter settings: go by these, also if the file is changed later; `nil` to read the file each time.
    package init(path: String, settings: AgentSettings? = nil) {
        (self.path, settingsInForce) = (path, settings)
    }

    /// The file with the settings of the home: `agent.yaml`, or `agent.json` in a home of an earlier version.
    package var configurationPath: String { SettingsFile.usedPath(inHome: path, name: AgentSettings.fileName) }
    package var journalPath: String { path + "/journal.sqlite" }
    /// File in which `FileClock` keeps its first reading.
    package var clockPath: String { path + "/clock" }
    /// Socket by which commands talk to a service that works in the home.
    package var controlPath: String { path + "/control.sock" }
    private var lockPath: String { path + "/lock" }

    static let authorityFileName = "authority.crt"
    private var authorityCopyPath: String { path + "/" + Self.authorityFileName }

    /// Makes a home that pins the gateway's key. Never overwrites an existing file.
    ///
    /// - Parameters:
    ///   - name: name in the device's certificate.
    ///   - gateway: `HOST:PORT`.
    ///   - pin: the gateway's fingerprint.
    /// - Returns: the device's fingerprint, for the gateway's device list.
    package func create(
        name: String, gateway: String, pin: Fingerprint, keyType: KeyType = .ed25519
    ) throws(AgentHomeError) -> Fingerprint {
        try create(name: name, keyType: keyType, settings: [("gateway", gateway), ("pin", pin.description)])
    }

    /// Makes a home that trusts a certificate authority to identify the gateway. Never overwrites an existing file.
    ///
    /// - Parameters:
    ///   - name: name in the device's certificate.
    ///   - gateway: `HOST:PORT`.
    ///   - authorityPath: PEM file of the authority's certificates; copied into the home.
    ///   - gatewayName: host name in the gateway's certificate.
    /// - Returns: the device's fingerprint.
    package func create(
        name: String, gateway: String, authorityPath: String, gatewayName: String, keyType: KeyType
    ) throws(AgentHomeError) -> Fingerprint {
        let authority = try readAuthority(authorityPath)
        let settings = [("gateway", gateway), ("ca", Self.authorityFileName), ("gateway-name", gatewayName)]
        return try create(name: name, keyType: keyType, settings: settings) { () throws(FileError) in
            // Write the authority's file before the configuration that names it.
            try AtomicFile.writeNew(authority, to: authorityCopyPath, mode: .ownerWritesAllRead)
        }
    }

    func readAuthority(_ path: String) throws(AgentHomeError) -> [UInt8] {
        do {
            _ = try CertificateAuthority.load(from: path)
            return try BoundedFile.read(path, bytesMax: CertificateAuthority.fileBytesMax, access: .anyone)
        } catch {
            throw AgentHomeError(.unusable, "the authority that --ca names cannot be used: \(error.readable)")
        }
    }

    private func create(
        name: String, keyType: KeyType, settings: [(String, String)], _ writeMore: () throws(FileError) -> Void = {}
    ) throws(AgentHomeError) -> Fingerprint {
        try checkProgram()
        var isIdentityMade = false
        // A file of this name that exists before is not this attempt's to remove.
        let hadAuthority = AtomicFile.exists(authorityCopyPath)
        do {
            try OwnFolder.makeOrCheck(path)
            let identity = try Identity.create(in: path, name: name, keyType: keyType)
            isIdentityMade = true
            try writeMore()
            try AtomicFile.writeNew(Self.encoded(settings), to: configurationPath, mode: .ownerOnly)
            beginToWatchClock()
            return identity.fingerprint
        } catch {
            // No gateway knows the new key, so the next attempt may make another one.
            if isIdentityMade {
                removeIdentity()
                if !hadAuthority { AtomicFile.remove(authorityCopyPath) }
            }
            throw AgentHomeError(making: path, error)
        }
    }

    private func removeIdentity() {
        for name in [Identity.keyFileName, Identity.certificateFileName, Identity.requestFileName] {
            AtomicFile.remove(path + "/" + name)
        }
    }

    /// Takes the first reading of the clock as early as possible. The agent trusts the stamp of a file only if it
    /// examines the file at least two seconds after this reading. So if the first push begins after these two seconds,
    /// the second push need not read the same files again.
    private func beginToWatchClock() { _ = FileClock(path: clockPath) }

    /// Makes a home for an invited device, or completes a home that an earlier attempt began for the same gateway.
    /// Keeps an existing private key, because the gateway may already have the device's key on its list. Accepts
    /// another address for the gateway, because the address may have changed since the earlier attempt.
    package func createOrGoOn(
        name: String, gateway: String, pin: Fingerprint, keyType: KeyType = .ed25519
    ) throws(AgentHomeError) {
        try checkProgram()
        do {
            try OwnFolder.makeOrCheck(path)
            beginToWatchClock()
            if !AtomicFile.exists(path + "/" + Identity.keyFileName) {
                // Remove the files of an attempt that stopped before it wrote the key, which is written last.
                removeIdentity()
                _ = try Identity.create(in: path, name: name, keyType: keyType)
            }
            guard AtomicFile.exists(configurationPath) else {
                let bytes = Self.encoded([("gateway", gateway), ("pin", pin.description)])
                return try AtomicFile.writeNew(bytes, to: configurationPath, mode: .ownerOnly)
            }
        } catch {
            throw AgentHomeError(making: path, error)
        }
        guard try pins().keys.contains(pin) else {
            throw AgentHomeError(
                .unusable,
                "\(path) is a home for another gateway already; with --repin it trusts this one instead, and keeps its "
                    + "identity and journal, or make another home with --home DIRECTORY")
        }
        guard try settings().gateway != Endpoint(argument: gateway) else { return }
        try change([("gateway", gateway)])
    }

    /// Writes other settings into the file, and leaves everything else in it as it is.
    ///
    /// - Parameters:
    ///   - settings: a key without a text is removed.
    ///   - before: writes what the new settings name; called only if the file can be changed.
    func change(
        _ settings: [(name: String, text: String?)], before: () throws(AgentHomeError) -> Void = {}
    ) throws(AgentHomeError) {
        do {
            let bytes = try BoundedFile.read(
                configurationPath, bytesMax: DocumentLimits.bytesMax, access: .ownerWrites)
            let file = try SettingsFile(path: configurationPath, bytes: bytes)
            guard let changed = file.changed(settings, in: bytes) else {
                let lines = settings.map { "\($0.name): \($0.text.map(SettingsFile.quoted) ?? "(removed)")" }
                throw AgentHomeError(
                    .unusable,
                    "\(configurationPath) cannot be changed by a program; write there: \(lines.joined(separator: ", "))"
                )
            }
            try before()
            try AtomicFile.write(changed, to: configurationPath, mode: .ownerOnly)
        } catch let error as AgentHomeError {
            throw error
        } catch {
            throw AgentHomeError(writing: configurationPath, error)
        }
    }

    private static func encoded(_ settings: [(String, String)]) -> [UInt8] {
        let lines = settings.map { "\($0.0): \(SettingsFile.quoted($0.1))\n" }.joined()
        return Array("# Settings of this agent. sluice-agent config show lists all of them.\n\(lines)".utf8)
    }

    /// The keys or the authority whose signatures on receipts this home accepts: the pinned keys, or the authority that
    /// identifies the gateways.
    package func receiptTrust() throws(AgentHomeError) -> ReceiptTrust {
        switch try gatewayTrust() {
        case .pinnedKeys(let pins): .keys(pins)
        case .authority(let authority, let gatewayName): .authority(authority, gatewayName: gatewayName)
        }
    }

    /// How to authenticate the gateway, from the configuration.
    ///
    /// - Parameter connectedHost: host of the gateway to connect to, which a flag or variable may have named; `nil` for
    ///   the gateway of the settings file.
    func gatewayTrust(connectedHost: String? = nil) throws(AgentHomeError) -> TLSContext.GatewayTrust {
        let settings = try settings()
        guard let file = settings.authority else { return .pinnedKeys(Set(try pins().keys)) }
        let name: String =
            if let name = settings.gatewayName ?? connectedHost { name } else { try gateway(in: settings).host }
        do {
            let authority = try CertificateAuthority.load(from: absolutePath(ofAuthority: file))
            return .authority(authority, gatewayName: name)
        } catch {
            throw AgentHomeError(
                .unusable, "the authority that \(configurationPath) names cannot be used: \(error.readable)")
        }
    }

    /// The path of the authority's file: the setting may be relative to the home.
    func absolutePath(ofAuthority file: String) -> String { file.isAbsolutePath ? file : path + "/" + file }

    /// The pinned fingerprint in the settings; `nil` if a certificate authority identifies the gateway.
    func configuredPin() throws(AgentHomeError) -> Fingerprint? {
        let settings = try settings()
        guard settings.authority == nil else { return nil }
        guard let pin = settings.pin else {
            throw AgentHomeError(
                .unusable, "\(configurationPath) has neither a pin, the gateway's fingerprint, nor a ca")
        }
        return pin
    }

    /// The settings that `init` was given; otherwise those of the file alone, without variables and flags.
    func settings() throws(AgentHomeError) -> AgentSettings {
        if let settingsInForce { return settingsInForce }
        do {
            let file = try SettingsFile.inHome(path, name: AgentSettings.fileName)
            return try AgentSettings.table.read(file: file).values
        } catch {
            throw AgentHomeError(.settings, error.description)
        }
    }

    /// The gateway's host and port, from the settings file.
    func gateway() throws(AgentHomeError) -> (host: String, port: Int) { try gateway(in: settings()) }

    private func gateway(in settings: AgentSettings) throws(AgentHomeError) -> (host: String, port: Int) {
        guard let gateway = settings.gateway else {
            throw AgentHomeError(.unusable, "\(configurationPath) names no gateway; write gateway: \"HOST:PORT\" there")
        }
        return (gateway.host, gateway.port)
    }

    /// The device's key and certificate, self-signed by `create` or signed by an authority.
    package func identity() throws(AgentHomeError) -> Identity {
        do {
            return try Identity.load(from: path)
        } catch {
            throw AgentHomeError(
                .unusable,
                "cannot read the device's identity in \(path) (sluice-agent init makes one): \(error.readable)")
        }
    }

    /// The exclusive lock of a home. A process holds it while it works in the home.
    package final class Lock: Sendable {
        private let descriptor: Int32

        fileprivate init(descriptor: Int32) {
            self.descriptor = descriptor
        }

        deinit {
            // Unlock explicitly. Closing alone would not release the lock while a child process, between fork and exec,
            // also has the file open.
            _ = flock(descriptor, LOCK_UN)
            close(descriptor)
        }
    }

    /// Whether another process holds the lock now.
    package var isBusy: Bool {
        do {
            _ = try lock(patience: 1)
            return false
        } catch {
            return error.kind == .busy
        }
    }

    /// Checks that the home exists and can be used.
    ///
    /// - Throws: `unusable` if there is no home yet, or if it belongs to another user.
    package func check() throws(AgentHomeError) {
        var status = stat()
        guard stat(path, &status) == 0 else { throw unusable(errno, path) }
        try checkSettingsFile()
    }

    /// Checks that the directory is no home of a gateway, and that its settings file can be read, if it exists. The
    /// directory may be missing.
    package func checkSettingsFile() throws(AgentHomeError) {
        try checkProgram()
        guard access(configurationPath, R_OK) == 0 || errno == ENOENT || errno == ENOTDIR else {
            throw unusable(errno, configurationPath)
        }
    }

    /// Throws if the directory is the home of a gateway.
    package func checkProgram() throws(AgentHomeError) {
        guard HomeOwner.of(path) == .gateway else { return }
        throw AgentHomeError(
            .unusable,
            "\(path) is the home of a sluice-gateway; name this agent's with --home or \(SettingVariables.home)")
    }

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

    /// Takes the lock of the home. A command of root works as the owner of the home from then on, so that it leaves no
    /// file of root that locks the owner out.
    ///
    /// - Parameter patience: how often to try, at intervals of 20 milliseconds.
    /// - Throws: `busy` if another process holds the lock.
    package func lock(patience: Int = 25) throws(AgentHomeError) -> Lock {
        ActingUser.becomeOwner(of: path)
        let descriptor = open(lockPath, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0o600)
        guard descriptor >= 0 else { throw unusable(errno, lockPath) }
        var attempts = 0
        while flock(descriptor, LOCK_EX | LOCK_NB) != 0 {
            attempts += 1
            if attempts < patience {
                // Try again: a command that only reads may hold the lock for a moment, to find out whether an agent is
                // at work.
                usleep(20_000)
                continue
            }
            close(descriptor)
            throw AgentHomeError(busy: path, isService: LocalSocket.isServed(at: controlPath))
        }
        return Lock(descriptor: descriptor)
    }
}
