package import Cryptography
import SystemSupport

/// Lets an existing home trust another gateway: its operator has replaced the site's key or authority, or the device
/// moves to another site. The home keeps the device's identity, the journal and all other settings.
package struct Repinning {
    private let home: AgentHome

    package init(_ home: AgentHome) {
        self.home = home
    }

    /// Pins another key, and forgets all keys that the home has learned under the earlier pin.
    ///
    /// - Parameter gateway: `HOST:PORT`.
    /// - Throws: `busy` while another process works in the home.
    package func trust(pin: Fingerprint, gateway: String) throws(AgentHomeError) {
        try change([("ca", nil), ("gateway-name", nil), ("pin", pin.description), ("gateway", gateway)])
    }

    /// Trusts a certificate authority instead of the earlier pin or authority.
    ///
    /// - Parameters:
    ///   - path: PEM file of the authority's certificates; copied into the home.
    ///   - gatewayName: host name in the gateway's certificate.
    ///   - gateway: `HOST:PORT`.
    package func trust(authorityAt path: String, gatewayName: String, gateway: String) throws(AgentHomeError) {
        let authority = try home.readAuthority(path)
        try change([
            ("pin", nil), ("ca", AgentHome.authorityFileName), ("gateway-name", gatewayName), ("gateway", gateway),
        ]) { () throws(AgentHomeError) in
            let copy = home.path + "/" + AgentHome.authorityFileName
            do {
                try AtomicFile.write(authority, to: copy, mode: .ownerWritesAllRead)
            } catch {
                throw AgentHomeError(writing: copy, error)
            }
        }
    }

    private func change(
        _ settings: [(name: String, text: String?)], before: () throws(AgentHomeError) -> Void = {}
    ) throws(AgentHomeError) {
        try home.check()
        let lock = try home.lock()
        _ = try home.settings()
        try home.change(settings) { () throws(AgentHomeError) in
            // Tokens of the earlier site must not meet the new one if this process ends in between.
            try forgetSessions()
            try before()
        }
        AtomicFile.remove(home.pinsPath)
        withExtendedLifetime(lock) {}
    }

    private func forgetSessions() throws(AgentHomeError) {
        guard AtomicFile.exists(home.journalPath) else { return }
        do {
            let journal = try Journal.open(home.journalPath)
            try journal.forgetSessions()
            try journal.close()
        } catch {
            throw AgentHomeError(writing: home.journalPath, error)
        }
    }
}
