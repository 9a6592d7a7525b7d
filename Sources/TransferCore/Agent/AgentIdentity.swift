package import TransferCommon
package import WireProtocol

/// What the agent says of itself in HELLO.
package struct AgentIdentity: Hashable, Sendable {
    package var fingerprint: SHA256Digest
    package var run: RunID
    package var capabilities: Capabilities
    /// Keys of the gateway that are pinned durably; empty if the agent pins none.
    package var pins: [SHA256Digest]
    /// Name and version.
    package var software: String

    package init(
        fingerprint: SHA256Digest, run: RunID, capabilities: Capabilities, pins: [SHA256Digest] = [], software: String
    ) {
        self.fingerprint = fingerprint
        self.run = run
        self.capabilities = capabilities
        self.pins = pins
        self.software = software
    }
}
