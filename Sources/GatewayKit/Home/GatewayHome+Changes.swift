package import Cryptography
package import FoundationEssentials
import SecureChannel
import SystemSupport
package import TransferCommon
package import TransferCore
import WireProtocol

// Changes to an existing home, made by commands and by running gateways. A writer of a list holds the list's lock. A
// reader needs no lock, because a writer replaces each file as a whole.

extension GatewayHome {
    /// Adds a device to the list and removes its invitation, if any. A running gateway applies the change within
    /// seconds.
    ///
    /// - Parameter prefix: prefix of the device's object keys; `nil` for `NAME/`.
    /// - Returns: until when the removed invitation would have been valid; `nil` if none was open.
    @discardableResult
    package func addDevice(
        name: String, fingerprint: Fingerprint, prefix: String?, limits: DeviceLimits = DeviceLimits()
    ) throws -> Date? {
        let options = DeviceOptions(device: name, prefix: prefix, limits: limits)
        return try changeDevices(of: name) { (list) throws(DeviceListError) in
            try list.add(
                AuthorisedDevice(
                    name: name, fingerprint: fingerprint.digest, prefix: options.prefix, limits: options.limits))
        }
    }

    /// Sets the prefix and limits of a device that is known by its certificate. Also removes a revocation and an
    /// invitation of the name.
    ///
    /// - Parameter prefix: prefix of the device's object keys; `nil` for `NAME/`.
    /// - Returns: until when the removed invitation would have been valid; `nil` if none was open.
    @discardableResult
    package func addCertifiedDevice(
        name: String, prefix: String?, limits: DeviceLimits = DeviceLimits()
    ) throws -> Date? {
        try changeDevices(of: name) { (list) throws(DeviceListError) in
            try list.add(CertificateRule.known(name: name, prefix: prefix, limits: limits))
        }
    }

    private func changeDevices(
        of name: String, _ change: (inout DeviceList) throws(DeviceListError) -> Void
    ) throws -> Date? {
        try withListsLocked {
            var list = try devices()
            list.forgive(name)
            try change(&list)
            try write(list)
            var invitations = try invitations()
            let open = invitations.expiry(of: name, at: Date())
            if invitations.remove(name: name) { try write(invitations) }
            return open
        }
    }

    /// Removes a device and its invitation from the lists. A running gateway closes the device's connections within
    /// seconds.
    ///
    /// A *revoked* line takes the place of the device's line, even if `hasAuthority` is false: if some gateway of the
    /// site accepts certificates, it could otherwise accept a certificate with the device's name.
    /// - Parameter hasAuthority: whether the operator has named an authority for the site. If so, or if the list names
    ///   devices with certificates, even a name without a line gets a *revoked* line.
    @discardableResult
    package func revokeDevice(name: String, hasAuthority: Bool = false) throws -> DeviceRevocation {
        try withListsLocked {
            // Write the device list first, so that damaged invitations cannot prevent a revocation.
            var list = try devices()
            let wasRevoked = list.hasRevoked(name)
            // A revoked device does not show an authority: on a site without one, a wrong name is an error.
            let mayBeCertified = hasAuthority || list.certificateRules.contains { $0.options != nil }
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
                let advice = "sluice-gateway device list shows them; to refuse certificates with this name add --ca"
                throw DeviceListError("there is no device \(name): \(advice)")
            }
            return DeviceRevocation(isRevoked: isKnown, wasInvited: wasInvited)
        }
    }

    /// The device list as text, followed by comment lines: the devices that may write any key, the open invitations,
    /// and the newest device reports.
    ///
    /// - Parameter failed: called if the invitations cannot be read; the text then says so in their place.
    package func deviceLines(failed: (GatewayHomeError) -> Void = { _ in }) throws -> String {
        let now = Date()
        let invited: [String]
        do throws(GatewayHomeError) {
            invited = try invitations().invitations.filter { $0.expires > now }.map { invitation in
                "# invited until \(invitation.expires.formatted(.iso8601)): \(invitation.name)"
                    + invitation.options.text + "\n"
            }
        } catch {
            invited = ["# \(error)\n"]
            failed(error)
        }
        let list = try devices()
        let unbounded = list.namesWithoutPrefix.map { "# \($0) may write any key\n" }
        return list.text + unbounded.joined() + invited.joined() + reports.lines(at: now)
    }

    /// Advice about devices of the list whose lines state no prefix; `nil` if there are none. A command that changes
    /// the list writes the prefix that these lines mean now.
    package var adviceAboutPrefixes: String? {
        // try?: the command itself fails if the list cannot be read.
        (try? devices()).flatMap { AssumedPrefixes.message($0.namesOfAssumedPrefix, in: "The device list") }
    }

    /// Makes an invitation (specification §5.2) and replaces an open invitation for the same name.
    ///
    /// - Parameters:
    ///   - gateway: `HOST:PORT`, as the device will reach the gateway.
    ///   - lifetime: how long the code is valid, in whole seconds.
    package func inviteDevice(
        name: String, options: DeviceOptions, gateway: String, lifetime: Duration
    ) throws -> MadeInvitation {
        let secret = try InvitationSecret.random()
        let code = try InvitationCode(gateway: gateway, pin: identity().fingerprint, secret: secret).text()
        let digest = try secret.digest()
        let now = Date()
        let replaced = try withListsLocked {
            var (list, invitations) = (try devices(), try invitations())
            // Check now whether the list will accept the device. Otherwise the error would occur when the device
            // enrols, and the operator would not see it. The key is not known yet; the secret's digest stands in for
            // its fingerprint.
            list.forgive(name)
            try list.add(
                AuthorisedDevice(name: name, fingerprint: digest, prefix: options.prefix, limits: options.limits))
            let replaced = invitations.expiry(of: name, at: now)
            invitations.removeExpired(at: now)
            let expires = now.addingTimeInterval(Double(lifetime.components.seconds))
            invitations.add(.init(name: name, options: options, secretDigest: digest, expires: expires))
            try write(invitations)
            return replaced
        }
        return MadeInvitation(code: code, replaced: replaced)
    }

    /// Adds an invited device to the device list, then removes the invitation. A crash between the two steps leaves the
    /// invitation. No other device can use it, because the name in it is on the list already.
    ///
    /// Blocks while another process holds the lock of the lists.
    /// - Parameter voided: called with the error if the device is on the list but its invitation cannot be removed.
    /// - Returns: the device as listed. If the device is on the list already, that counts as a success: the device
    ///   repeats its request if the answer was lost. `nil` if no unexpired invitation has this secret.
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

    /// Advances each key of the site's key ring by one state (`KeyRing`). A running gateway loads the new ring within
    /// seconds.
    package func rotateKeys() throws -> KeyRing {
        try withLocked(keysPath) {
            do {
                let ring = try keyRing().rotated()
                try ring.save(to: SharedFile.target(of: keysPath))
                return ring
            } catch let error as KeyRingError {
                throw GatewayHomeError("cannot rotate the site's keys", cause: error)
            }
        }
    }

    // MARK: Locks and files

    private func withListsLocked<Result>(_ body: () throws -> Result) throws -> Result {
        // Lock both files: a second home may share only one of the two through a symbolic link.
        try withLocked(devicesPath) { try withLocked(invitationsPath, body) }
    }

    func withLocked<Result>(_ path: String, _ body: () throws -> Result) throws -> Result {
        let lock = SharedFile.target(of: path) + ".lock"
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
            try AtomicFile.write(Array(text.utf8), to: SharedFile.target(of: path), mode: .ownerOnly)
        } catch {
            throw GatewayHomeError("cannot write \(path)", cause: error)
        }
    }
}
