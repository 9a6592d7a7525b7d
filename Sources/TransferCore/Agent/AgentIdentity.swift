package import TransferCommon
package import WireProtocol

/// Who the agent is to a gateway.
package struct AgentIdentity: Hashable, Sendable {
    package var fingerprint: SHA256Digest
    package var run: RunID
    package var capabilities: Capabilities
    /// Keys of the gateway that are pinned durably; none where the agent pins nothing.
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
