package import Cryptography
import FoundationEssentials
import SecureChannel
import SystemSupport

/// The files of a gateway: its identity, the site's key ring and device list, its configuration.
///
/// Gateways of one site have the same identity, `keys` and `devices`, and stand for one another by them; where a next
/// key is announced, `next.key` and `next.crt` beside the identity's certificate go with it. Each may keep
/// its own home, with copies of them, or with links into one directory. Invitations are good at any gateway of the site
/// where both `devices` and `invitations` are such links, and else at the one that made them.
package struct GatewayHome: Sendable {
    package let path: String

    package init(path: String) {
        self.path = path
    }

    package var keysPath: String { path + "/keys" }
    package var devicesPath: String { path + "/devices" }
    package var invitationsPath: String { path + "/invitations" }
    package var configurationPath: String { path + "/gateway.json" }
    /// This gateway's own: what its devices have reported. Losing it loses nothing else.
    package var reportsPath: String { path + "/reports.json" }

    /// Makes a home. What is there already is never touched.
    ///
    /// - Returns: the gateway's fingerprint, for agents to pin.
    package func create(name: String, keyType: KeyType = .ed25519) throws(GatewayHomeError) -> Fingerprint {
        do {
            try FileManager.default.createDirectory(
                atPath: path, withIntermediateDirectories: true, attributes: [.posixPermissions: 0o700])
        } catch {
            throw GatewayHomeError("cannot make the directory \(path)", cause: error)
        }
        do {
            let identity = try Identity.create(in: path, name: name, keyType: keyType)
            _ = try KeyRing.create(at: keysPath)
            try AtomicFile.writeNew(Array(DeviceList().text.utf8), to: devicesPath, mode: .ownerOnly)
            // Made here, so that it is its owner's whoever adds the first line.
            try AtomicFile.writeNew(Array(InvitationList().text.utf8), to: invitationsPath, mode: .ownerOnly)
            try AtomicFile.writeNew(Array(Self.configuration.utf8), to: configurationPath, mode: .ownerOnly)
            return identity.fingerprint
        } catch {
            throw GatewayHomeError("cannot make a gateway's home in \(path)", cause: error)
        }
    }

    private static let configuration = """
        {
            "listen": "127.0.0.1:7420"
        }

        """

    /// Why one of the home's files cannot be read: often there is no home.
    private func unreadable(_ what: String, _ cause: any Error) -> GatewayHomeError {
        guard FileManager.default.fileExists(atPath: path) else {
            return GatewayHomeError("there is no gateway's home in \(path); make one with sluice-gateway init \(path)")
        }
        return GatewayHomeError("cannot read \(what)", cause: cause)
    }

    /// The gateway's key and certificate, as `create` made them, or as an authority signed it.
    package func identity() throws(GatewayHomeError) -> Identity {
        do {
            return try Identity.load(from: path, nextKeyPath: nextKeyPath)
        } catch {
            let remedy = error.isMissing ? "; put the site's there, or make one with sluice-gateway init" : ""
            throw unreadable("the gateway's identity" + remedy, error)
        }
    }

    /// Whose certificates make a device known, where `serve --ca` says so.
    ///
    /// - Throws: also where the gateway's own certificate is still signed by nobody but itself. Agents that know their
    ///   gateway by its authority would refuse it, each with a riddle of its own; here it can be told in time.
    func authority(_ file: String, for identity: Identity) throws(GatewayHomeError) -> CertificateAuthority {
        guard identity.isVouchedFor else {
            throw GatewayHomeError(
                "no authority has signed the gateway's certificate yet; have it sign \(path)/identity.csr, put the "
                    + "result in the place of \(path)/identity.crt, and start again")
        }
        do {
            return try CertificateAuthority.load(from: file)
        } catch {
            throw GatewayHomeError("the authority that --ca names cannot be used", cause: error)
        }
    }

    /// The site's key ring; a file that others may read is refused.
    package func keyRing() throws(GatewayHomeError) -> KeyRing {
        do {
            return try KeyRing.load(from: keysPath)
        } catch {
            throw unreadable("the site's key ring", error)
        }
    }

    /// The site's device list; one that is not wholly understood is refused.
    package func devices() throws(GatewayHomeError) -> DeviceList {
        do {
            let bytes = try BoundedFile.read(devicesPath, bytesMax: DeviceList.fileBytesMax, access: .anyone)
            guard let text = String(validating: bytes, as: UTF8.self) else {
                throw DeviceListError("it is not UTF-8")
            }
            return try DeviceList(parsing: text)
        } catch {
            throw unreadable("the device list \(devicesPath)", error)
        }
    }

    /// The invitations that wait for somebody; none, where there is no such file.
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

/// Why a home could not be made or used: a sentence, and what lies behind it.
package struct GatewayHomeError: Error, CustomStringConvertible {
    package let message: String
    package let cause: (any Error)?

    package init(_ message: String, cause: (any Error)? = nil) {
        self.message = message
        self.cause = cause
    }

    /// Whether the system stood in the way, as against what a file says: it may be different in a moment.
    var isOfSystem: Bool {
        switch cause {
        case is FileError: true
        case .some(let error as KeyRingError): error.isOfSystem
        default: false
        }
    }

    package var description: String {
        cause.map { "\(message): \($0)" } ?? message
    }
}

extension KeyRingError {
    fileprivate var isOfSystem: Bool {
        if case .file = self { true } else { false }
    }
}
