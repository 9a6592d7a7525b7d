package import Cryptography
import FoundationEssentials
import SecureChannel
import SystemSupport
package import TransferCommon
package import TransferCore
import WireProtocol

// What changes in a home once it is made, by commands and by gateways that serve. Whoever changes a list holds its
// lock; who reads it needs none, since files are replaced as a whole.

extension GatewayHome {
    /// Adds a device to the list; a gateway that runs takes note within seconds. An invitation of this name is void.
    package func addDevice(
        name: String, fingerprint: Fingerprint, prefix: String, limits: DeviceLimits = DeviceLimits()
    ) throws {
        try changeDevices(of: name) { (list) throws(DeviceListError) in
            try list.add(
                AuthorisedDevice(name: name, fingerprint: fingerprint.digest, prefix: prefix, limits: limits))
        }
    }

    /// Says where and how a device may write that is known by its certificate; a name that was revoked may come in
    /// again.
    ///
    /// - Parameter prefix: `nil` for the name and a slash.
    package func addCertifiedDevice(name: String, prefix: String?, limits: DeviceLimits = DeviceLimits()) throws {
        try changeDevices(of: name) { (list) throws(DeviceListError) in
            try list.add(CertificateRule.known(name: name, prefix: prefix, limits: limits))
        }
    }

    private func changeDevices(
        of name: String, _ change: (inout DeviceList) throws(DeviceListError) -> Void
    ) throws {
        try withListsLocked {
            var list = try devices()
            list.forgive(name)
            try change(&list)
            try write(list)
            var invitations = try invitations()
            if invitations.remove(name: name) { try write(invitations) }
        }
    }

    /// Takes a device off the list, its invitation too; a gateway that runs ends its connections within seconds.
    ///
    /// A name that was on the list is refused from then on: whether a gateway knows devices by certificates, too, which
    /// might have this name, cannot be told here.
    /// - Parameter hasAuthority: certificates make devices known that are on no list. A list that speaks of
    ///   certificates says the same.
    package func revokeDevice(name: String, hasAuthority: Bool = false) throws {
        try withListsLocked {
            // The list first, whatever state the invitations are in.
            var list = try devices()
            let wasRevoked = list.hasRevoked(name)
            let mayBeCertified = hasAuthority || !list.certificateRules.isEmpty
            let isKnown = !wasRevoked && (list.remove(name: name) || mayBeCertified)
            if isKnown {
                try list.add(CertificateRule.revoked(name: name))
                try write(list)
            }
            var invitations = try invitations()
            let wasInvited = invitations.remove(name: name)
            if wasInvited { try write(invitations) }
            guard isKnown || wasInvited else {
                if wasRevoked { throw DeviceListError("\(name) is revoked already") }
                throw DeviceListError("there is no device \(name); sluice-gateway device list shows them")
            }
        }
    }

    /// The devices as their file has them, and who is invited.
    package func deviceLines() throws -> String {
        let now = Date()
        let invited: [String]
        do {
            invited = try invitations().invitations.filter { $0.expires > now }.map { invitation in
                "# invited until \(invitation.expires.formatted(.iso8601)): \(invitation.name)"
                    + invitation.options.text() + "\n"
            }
        } catch {
            invited = ["# \(error)\n"]
        }
        return try devices().text + invited.joined() + reportLines(at: now)
    }

    /// Makes an invitation (specification §5.2); one that waits for the same name is void from here on.
    ///
    /// - Parameters:
    ///   - gateway: `HOST:PORT`, as the device will reach it.
    ///   - lifetime: how long the code is good, if nobody uses it.
    /// - Returns: the code, a secret.
    package func inviteDevice(
        name: String, options: DeviceOptions, gateway: String, lifetime: Duration
    ) throws -> String {
        let secret = try InvitationSecret.random()
        let code = try InvitationCode(gateway: gateway, pin: identity().fingerprint, secret: secret).text()
        let digest = try secret.digest()
        let now = Date()
        try withListsLocked {
            var (list, invitations) = (try devices(), try invitations())
            // What the device will be refused for then is better said now; the key stands for any.
            list.forgive(name)
            try list.add(
                AuthorisedDevice(name: name, fingerprint: digest, prefix: options.prefix, limits: options.limits))
            invitations.removeExpired(at: now)
            let expires = now.addingTimeInterval(Double(lifetime.components.seconds))
            invitations.add(.init(name: name, options: options, secretDigest: digest, expires: expires))
            try write(invitations)
        }
        return code
    }

    /// Puts a device on the list that was invited, and makes the invitation void, in this order: a crash in between
    /// leaves an invitation that its device no longer needs and no other can use, since the name is taken.
    ///
    /// Blocks for as long as another process changes the lists.
    /// - Parameter voided: told what went wrong with the second step alone.
    /// - Returns: the device as it stands on the list, also where it stood there already, since an answer may have been
    ///   lost; `nil` where no live invitation has this secret.
    package func redeem(
        _ secret: InvitationSecret, by fingerprint: Fingerprint, voided: (any Error) -> Void
    ) throws -> AuthorisedDevice? {
        let digest = try secret.digest()
        return try withListsLocked {
            var devices = try devices()
            if let known = devices.devices.first(where: { $0.fingerprint == fingerprint.digest }) { return known }
            var invitations = try invitations()
            guard let invitation = invitations.live(digest, at: Date()) else { return nil }
            _ = invitations.remove(name: invitation.name)
            devices.forgive(invitation.name)
            guard !devices.has(invitation.name) else {
                try write(invitations)
                return nil
            }
            let device = AuthorisedDevice(
                name: invitation.name, fingerprint: fingerprint.digest, prefix: invitation.options.prefix,
                limits: invitation.options.limits)
            try devices.add(device)
            try write(devices)
            do {
                try write(invitations)
            } catch {
                voided(error)
            }
            return device
        }
    }

    /// Moves each key of the site's ring on by one state (`KeyRing`): a gateway that serves takes note within seconds.
    package func rotateKeys() throws -> KeyRing {
        try withLocked(keysPath) {
            do {
                let ring = try keyRing().rotated()
                try ring.save(to: Self.target(of: keysPath))
                return ring
            } catch let error as KeyRingError {
                throw GatewayHomeError("cannot rotate the site's keys", cause: error)
            }
        }
    }

    // MARK: Locks and files

    /// Does something with the device list and the invitations that nobody else changes meanwhile.
    private func withListsLocked<Result>(_ body: () throws -> Result) throws -> Result {
        // Each by itself, since one may be shared with other homes where the other is not.
        try withLocked(devicesPath) { try withLocked(invitationsPath, body) }
    }

    func withLocked<Result>(_ path: String, _ body: () throws -> Result) throws -> Result {
        let lock = Self.target(of: path) + ".lock"
        do {
            return try FileLock.holding(lock, body)
        } catch let error as FileError where error.path == lock {
            throw GatewayHomeError("cannot change \(path)", cause: error)
        }
    }

    private func write(_ devices: DeviceList) throws(GatewayHomeError) {
        try write(devices.text, to: devicesPath, bytesMax: DeviceList.fileBytesMax)
    }

    private func write(_ invitations: InvitationList) throws(GatewayHomeError) {
        try write(invitations.text, to: invitationsPath, bytesMax: InvitationList.fileBytesMax)
    }

    private func write(_ text: String, to path: String, bytesMax: Int) throws(GatewayHomeError) {
        guard text.utf8.count <= bytesMax else {
            throw GatewayHomeError("\(path) would become too long to be read again; nothing was changed")
        }
        do {
            try AtomicFile.write(Array(text.utf8), to: Self.target(of: path), mode: .ownerOnly)
        } catch {
            throw GatewayHomeError("cannot write \(path)", cause: error)
        }
    }

    /// Gateways that share a file by a link go on sharing it: what is replaced is the file, not the link, which need
    /// not lead anywhere yet.
    static func target(of path: String) -> String {
        var url = URL(filePath: path)
        // As many as the system would follow.
        for _ in 0..<40 {
            let here = url.path
            // What is no link is the target.
            guard let next = try? FileManager.default.destinationOfSymbolicLink(atPath: here) else { break }
            url = URL(filePath: next, relativeTo: url.deletingLastPathComponent()).absoluteURL
        }
        return url.path
    }
}
