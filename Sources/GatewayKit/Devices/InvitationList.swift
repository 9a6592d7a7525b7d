package import FoundationEssentials
package import TransferCommon
import WireProtocol

/// The open invitations of a site. The file is text like the device list, one invitation a line.
///
///     # name  SHA-256 of the secret  until  options
///     cam2  9f86…0a08  2026-11-24T15:00:00Z  prefix=cam2/
package struct InvitationList: Equatable, Sendable {
    /// A device name and options. The first device that shows the secret gets this name and these options.
    package struct Invitation: Equatable, Sendable {
        package let name: String
        package let options: DeviceOptions
        /// SHA-256 of the secret. Only the invitation code contains the secret itself.
        package let secretDigest: SHA256Digest
        /// Time of expiry in whole seconds, by the gateway's clock.
        package let expires: Date
    }

    package private(set) var invitations: [Invitation] = []
    /// Names of the invitations whose line states no prefix, so that the device gets the prefix `NAME/`. In earlier
    /// versions such a line allowed any key.
    package private(set) var namesOfAssumedPrefix: [String] = []

    package static let fileBytesMax = 1 << 20

    package init() {}

    /// Parses the file.
    ///
    /// - Parameter text: the file's content.
    /// - Throws: the line's number. A file with one invalid line is refused as a whole.
    package init(parsing text: String) throws(InvitationListError) {
        // Split Unicode scalars, not characters: `DeviceList.init(parsing:)` explains why.
        let lines = text.unicodeScalars.split(separator: "\n", omittingEmptySubsequences: false)
        for (index, line) in lines.enumerated() {
            let content = line.prefix { $0 != "#" }
            let fields = content.split(whereSeparator: \.properties.isWhitespace).map { String(Substring($0)) }
            guard !fields.isEmpty else { continue }
            guard fields.count >= 3, let digest = SHA256Digest(fields[1]),
                // An unreadable date makes the line invalid.
                let expires = try? Date(fields[2], strategy: .iso8601),
                // An unknown option makes the line invalid.
                let options = try? DeviceOptions(fields.dropFirst(3), device: fields[0])
            else { throw InvitationListError(line: index + 1) }
            add(Invitation(name: fields[0], options: options, secretDigest: digest, expires: expires))
            if !DeviceOptions.statePrefix(fields.dropFirst(3)) { namesOfAssumedPrefix.append(fields[0]) }
        }
    }

    /// Lists are equal if their lines mean the same.
    package static func == (left: InvitationList, right: InvitationList) -> Bool {
        left.invitations == right.invitations
    }

    /// Adds an invitation and removes an earlier one with the same name.
    package mutating func add(_ invitation: Invitation) {
        _ = remove(name: invitation.name)
        invitations.append(invitation)
    }

    /// Removes the invitation for this name.
    ///
    /// - Returns: whether the list had one.
    package mutating func remove(name: String) -> Bool {
        let count = invitations.count
        invitations.removeAll { $0.name == name }
        namesOfAssumedPrefix.removeAll { $0 == name }
        return invitations.count < count
    }

    /// Removes expired invitations.
    package mutating func removeExpired(at now: Date) {
        invitations.removeAll { $0.expires <= now }
    }

    /// The unexpired invitation with this secret, if any.
    package func live(_ secretDigest: SHA256Digest, at now: Date) -> Invitation? {
        invitations.first { $0.secretDigest == secretDigest && $0.expires > now }
    }

    /// Until when the invitation for a name is valid; `nil` if it has expired or there is none.
    func expiry(of name: String, at now: Date) -> Date? {
        invitations.first { $0.name == name && $0.expires > now }?.expires
    }

    /// Whether the list has an unexpired invitation.
    package func hasLive(at now: Date) -> Bool { invitations.contains { $0.expires > now } }

    /// The list as file content.
    package var text: String {
        let lines = invitations.map { invitation in
            "\(invitation.name)  \(invitation.secretDigest)  \(invitation.expires.formatted(.iso8601))"
                + invitation.options.text + "\n"
        }
        return "# name  SHA-256 of the secret  until  options: \(DeviceOptions.summary)\n" + lines.joined()
    }
}

/// The error for a file of invitations that cannot be parsed.
package struct InvitationListError: Error, Equatable, Sendable, CustomStringConvertible {
    /// Number of the invalid line, from 1; `nil` if the file is not UTF-8.
    package let line: Int?

    package init(line: Int?) {
        self.line = line
    }

    package var description: String {
        let place = line.map { "line \($0)" } ?? "it"
        return "\(place) of the file invitations is not an invitation; remove it, and invite the device again"
    }
}
