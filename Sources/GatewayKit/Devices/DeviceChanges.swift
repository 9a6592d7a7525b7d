package import FoundationEssentials

// What commands have changed in the lists of a site, for the operator.

/// An invitation that a command has made.
package struct MadeInvitation: Equatable, Sendable {
    /// The code for the device. It contains the secret.
    package let code: String
    /// Until when the replaced invitation for the same name would have been valid; `nil` if none was open.
    package let replaced: Date?

    /// What the operator must know about the replaced invitation; `nil` if none was replaced.
    package func advice(about name: String) -> String? {
        replaced.map { until in
            "an earlier invitation for \(name) was open until \(until.formatted(.iso8601)), and its code is no longer "
                + "valid; give the device the new code."
        }
    }

    /// What the operator must know about an invitation that ended because its name was added by hand.
    ///
    /// - Parameter open: until when the invitation would have been valid.
    package static func advice(about name: String, removedBeforeItsEnd open: Date) -> String {
        "an invitation for \(name) was open until \(open.formatted(.iso8601)), and its code is no longer valid; "
            + "a second device needs a name of its own."
    }
}

/// What a revocation has done.
package struct DeviceRevocation: Equatable, Sendable {
    /// Whether the list now refuses keys and certificates with the name.
    package let isRevoked: Bool
    /// Whether an invitation for the name was removed.
    package let wasInvited: Bool

    /// The result as a sentence.
    package func sentence(about name: String) -> String {
        guard isRevoked else { return "Removed the invitation for \(name); its code is no longer valid." }
        let others = wasInvited ? ", and removed its invitation" : ""
        return "Revoked \(name)\(others); a running gateway ends its connections within seconds."
    }
}
