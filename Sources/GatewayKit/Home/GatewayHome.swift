package import Cryptography
import FoundationEssentials
import SecureChannel
import Settings
import SystemSupport

/// The files of a gateway: its identity, the site's key ring and device list, its configuration.
///
/// All gateways of a site have the same identity, `keys` and `devices`, so that each can serve any device. An announced
/// key (`next.key` and `next.crt` beside the identity's certificate) is shared in the same way. Each gateway may have
/// its own home, with copies of these files or with symbolic links into one shared directory. If `devices` and
/// `invitations` are both links into the shared directory, every gateway of the site accepts an invitation. Otherwise
/// only the gateway whose home holds the invitation accepts it.
package struct GatewayHome: Sendable {
    package let path: String

    package init(path: String) {
        self.path = path
    }

    package var keysPath: String { path + "/keys" }
    package var devicesPath: String { path + "/devices" }
    package var invitationsPath: String { path + "/invitations" }
    /// The file with the settings of this gateway: `gateway.yaml`, or `gateway.json` in a home of an earlier version.
    package var configurationPath: String { SettingsFile.usedPath(inHome: path, name: GatewaySettings.fileName) }
    /// Newest reports of this gateway's devices. Each gateway has a file of its own. If the file is lost, only the
    /// reports are lost.
    package var reports: ReportsFile { ReportsFile(path: path + "/reports.json") }

    /// Makes a home. Never overwrites an existing file.
    ///
    /// - Parameter name: name in the gateway's certificate.
    /// - Returns: the gateway's fingerprint, which agents pin.
    package func create(name: String, keyType: KeyType = .ed25519) throws(GatewayHomeError) -> Fingerprint {
        try GatewaySettings.checkHome(path)
        do {
            try OwnFolder.makeOrCheck(path)
        } catch {
            throw GatewayHomeError("cannot make a gateway's home in \(path)", cause: error)
        }
        var made: [String] = []
        do {
            let identity = try Identity.create(in: path, name: name, keyType: keyType)
            made = [siteKeyFiles.keyPath, siteKeyFiles.certificatePath, siteKeyFiles.requestPath]
            _ = try KeyRing.create(at: keysPath)
            made.append(keysPath)
            // Create the invitations now, so that they belong to the user of the home even if another user adds the
            // first one.
            for (file, text) in [
                (devicesPath, DeviceList().text), (invitationsPath, InvitationList().text),
                (configurationPath, GatewaySettings.textOfNewFile),
            ] {
                try AtomicFile.writeNew(Array(text.utf8), to: file, mode: .ownerOnly)
                made.append(file)
            }
            return identity.fingerprint
        } catch {
            // A repetition, when the disk has room, must not find the half of a home. No peer knows the identity yet.
            for file in made { AtomicFile.remove(file) }
            throw GatewayHomeError("cannot make a gateway's home in \(path)", cause: error)
        }
    }

    /// Throws if the home does not exist. A command that reads no file of the home calls this, so that a misspelt path
    /// does not go unnoticed.
    package func confirm() throws(GatewayHomeError) {
        if !FileManager.default.fileExists(atPath: path) { throw missing }
    }

    private var missing: GatewayHomeError {
        GatewayHomeError("there is no gateway's home in \(path); make one with sluice-gateway init \(path)")
    }

    private func unreadable(_ what: String, _ cause: any Error) -> GatewayHomeError {
        FileManager.default.fileExists(atPath: path) ? GatewayHomeError("cannot read \(what)", cause: cause) : missing
    }

    /// The gateway's key and certificate, self-signed by `create` or signed by an authority.
    package func identity() throws(GatewayHomeError) -> Identity {
        do {
            return try Identity.load(from: path, nextKeyPath: siteKeyFiles.nextKeyPath)
        } catch {
            let remedy = error.isMissing ? "; put the site's there, or make one with sluice-gateway init" : ""
            throw unreadable("the gateway's identity" + remedy, error)
        }
    }

    /// The files of the present key and of the announced one.
    package var siteKeyFiles: SiteKeyFiles { SiteKeyFiles(homePath: path) }

    /// All files that `siteKeys` reads.
    var siteKeyPaths: [String] {
        [siteKeyFiles.certificatePath, siteKeyFiles.keyPath, siteKeyFiles.nextCertificatePath]
    }

    /// The present key and the announced key, read from the files.
    package func siteKeys() throws(GatewayHomeError) -> SiteKeys {
        SiteKeys(try identity(), announcedIn: siteKeyFiles)
    }

    /// Loads the authority whose certificates identify devices (`serve --ca`).
    ///
    /// - Throws: if the authority cannot be used, or if no authority has signed the gateway's own certificate. Agents
    ///   that trust the authority would refuse such a gateway; an error at its start is easier to understand than their
    ///   refusals.
    func authority(_ file: String, for identity: Identity) throws(GatewayHomeError) -> CertificateAuthority {
        // Look at the file first: without it no certificate would help.
        let authority = try authority(file)
        guard identity.isVouchedFor else {
            throw GatewayHomeError(
                "no authority has signed the gateway's certificate yet; have it sign \(path)/identity.csr, put the "
                    + "result in the place of \(path)/identity.crt, and start again")
        }
        return authority
    }

    private func authority(_ file: String) throws(GatewayHomeError) -> CertificateAuthority {
        do {
            return try CertificateAuthority.load(from: file)
        } catch {
            throw GatewayHomeError(
                "the authority that --ca names cannot be used", cause: error,
                remedy: "name the file with the certificate of the devices' authority, in PEM")
        }
    }

    /// The site's key ring. Throws if other users may read the file.
    package func keyRing() throws(GatewayHomeError) -> KeyRing {
        do {
            return try KeyRing.load(from: keysPath)
        } catch {
            throw unreadable("the site's key ring", error)
        }
    }

    /// The site's device list. Throws if any line is invalid, or if other users may change the file.
    package func devices() throws(GatewayHomeError) -> DeviceList {
        do {
            let bytes = try BoundedFile.read(devicesPath, bytesMax: DeviceList.fileBytesMax, access: .ownerWrites)
            guard let text = String(validating: bytes, as: UTF8.self) else {
                throw DeviceListError("it is not UTF-8")
            }
            return try DeviceList(parsing: text)
        } catch {
            throw unreadable("the device list \(devicesPath)", error)
        }
    }

    /// The open invitations; empty if the file does not exist.
    package func invitations() throws(GatewayHomeError) -> InvitationList {
        do {
            let bytes = try BoundedFile.read(
                invitationsPath, bytesMax: InvitationList.fileBytesMax, access: .ownerOnly)
            guard let text = String(validating: bytes, as: UTF8.self) else {
                throw InvitationListError(line: nil)
            }
            return try InvitationList(parsing: text)
        } catch let error as FileError where error.isMissing {
            return InvitationList()
        } catch {
            throw unreadable("the invitations", error)
        }
    }
}

/// The error of a home that cannot be made or used: a sentence, and the underlying error if there is one.
package struct GatewayHomeError: Error, CustomStringConvertible {
    package let message: String
    package let cause: (any Error)?
    /// What the operator can do about the cause; `nil` if the message or the cause says it.
    let remedy: String?

    package init(_ message: String, cause: (any Error)? = nil, remedy: String? = nil) {
        self.message = message
        self.cause = cause
        self.remedy = remedy
    }

    /// Whether the operating system caused the error. A later attempt may then succeed. If the content, the length or
    /// the permissions of a file are the cause, every attempt fails until the file changes.
    var isOfSystem: Bool { fileError?.isOfSystem ?? false }

    /// The failed access to a file that caused the error; `nil` if it has another cause.
    var fileError: FileError? {
        switch cause {
        case let error as FileError: error
        case KeyRingError.file(let error)?: error
        case IdentityError.file(let error)?: error
        case let error as GatewayHomeError: error.fileError
        default: nil
        }
    }

    /// Whether OpenSSL caused the error.
    var isOfLibrary: Bool { cause.flatMap { ErrorSentence($0).libraryText } != nil }

    package var description: String {
        cause.map { "\(message): \(ErrorSentence($0))" } ?? message
    }
}
