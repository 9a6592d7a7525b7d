package import FoundationEssentials
package import TransferCommon
import WireProtocol

/// The invitations of a site that nobody has taken up: a text file like the device list, one a line.
///
///     # name  SHA-256 of the secret  until  options
///     cam2  9f86…0a08  2026-11-24T15:00:00Z  prefix=cam2/
package struct InvitationList: Equatable, Sendable {
    /// A name with its options that waits for a key.
    package struct Invitation: Equatable, Sendable {
        package let name: String
        package let options: DeviceOptions
        /// SHA-256 of the secret; the secret itself is in the code alone.
        package let secretDigest: SHA256Digest
        /// Whole seconds, by the gateway's clock.
        package let expires: Date
    }

    package private(set) var invitations: [Invitation] = []

    package static let fileBytesMax = 1 << 20

    package init() {}

    /// - Parameter text: the file's content.
    /// - Throws: with the line's number; a list that is half understood is not used.
    package init(parsing text: String) throws(InvitationListError) {
        // By scalars, as the device list.
        let lines = text.unicodeScalars.split(separator: "\n", omittingEmptySubsequences: false)
        for (index, line) in lines.enumerated() {
            let content = line.prefix { $0 != "#" }
            let fields = content.split(whereSeparator: \.properties.isWhitespace).map { String(Substring($0)) }
            guard !fields.isEmpty else { continue }
            guard fields.count >= 3, let digest = SHA256Digest(fields[1]),
                // A date that cannot be read makes the line one that cannot.
                let expires = try? Date(fields[2], strategy: .iso8601),
                // And so does an option that is not known.
                let options = try? DeviceOptions(fields.dropFirst(3))
            else { throw InvitationListError(line: index + 1) }
            add(Invitation(name: fields[0], options: options, secretDigest: digest, expires: expires))
        }
    }

    /// Adds one; an earlier one of the same name is void.
    package mutating func add(_ invitation: Invitation) {
        _ = remove(name: invitation.name)
        invitations.append(invitation)
    }

    /// - Returns: whether there was one of that name.
    package mutating func remove(name: String) -> Bool {
        let count = invitations.count
        invitations.removeAll { $0.name == name }
        return invitations.count < count
    }

    /// Forgets those that have expired.
    package mutating func removeExpired(at now: Date) {
        invitations.removeAll { $0.expires <= now }
    }

    /// The invitation with this secret, unless it has expired.
    package func live(_ secretDigest: SHA256Digest, at now: Date) -> Invitation? {
        invitations.first { $0.secretDigest == secretDigest && $0.expires > now }
    }

    /// Whether anybody may still take one up.
    package func hasLive(at now: Date) -> Bool { invitations.contains { $0.expires > now } }

    /// The file's content.
    package var text: String {
        let lines = invitations.map { invitation in
            "\(invitation.name)  \(invitation.secretDigest)  \(invitation.expires.formatted(.iso8601))"
                + invitation.options.text() + "\n"
        }
        return "# name  SHA-256 of the secret  until  options: \(DeviceOptions.summary)\n" + lines.joined()
    }
}

/// The file of invitations cannot be understood.
package struct InvitationListError: Error, Equatable, Sendable, CustomStringConvertible {
    /// `nil` where it is no text at all.
    package let line: Int?

    package init(line: Int?) {
        self.line = line
    }

    package var description: String {
        let place = line.map { "line \($0)" } ?? "it"
        return "\(place) of the file invitations is no invitation; remove it, and invite the device again"
    }
}
