import GatewayKit
import NIOCore
import Testing
import TransferCommon
import TransferCore

/// Which connections the gateway admits before a peer has proved its key, and which it closes to make room for others.
@Suite struct PreAuthenticationLimiterTests {
    private func makeLimiter(
        _ peersMax: Int, perAddress: Int, beforeProxyHeader: Int = 1_024
    ) -> PreAuthenticationLimiter {
        var limits = GatewayLimits(
            parts: PartRule(
                partBytesMin: 1, partBytesMax: 1 << 30, partBytesDefault: 1, partsMax: 10_000, objectBytesMax: 1 << 40))
        limits.unauthenticatedPeersMax = peersMax
        limits.unauthenticatedPeersPerAddressMax = perAddress
        limits.peersBeforeProxyHeaderMax = beforeProxyHeader
        return PreAuthenticationLimiter(limits)
    }

    @Test func crowdedAddressLosesItsOldest() {
        var limiter = makeLimiter(10, perAddress: 3)
        let first = (0..<3).map { _ in limiter.enter("a") }
        #expect(first.allSatisfy { $0.leaving == nil })
        #expect(limiter.enter("b").leaving == nil)
        #expect(limiter.enter("a").leaving == first[0].newcomer)
        #expect(limiter.enter("a").leaving == first[1].newcomer)
        #expect(limiter.count == 4)
    }

    /// The limiter never closes the only connection of an address while another address has more than one.
    @Test func busiestAddressMakesRoom() {
        var limiter = makeLimiter(12, perAddress: 8)
        let crowd = (0..<8).map { _ in limiter.enter("crowd").newcomer }
        let others = (0..<4).map { limiter.enter("other-\($0)").newcomer }
        for number in 0..<6 {
            let leaving = limiter.enter("new-\(number)").leaving
            #expect(leaving == crowd[number])
            #expect(limiter.count == 12)
        }
        // The address with the most connections cannot get more: each new one replaces an older one of the same
        // address.
        for _ in 0..<100 {
            let leaving = limiter.enter("crowd").leaving
            #expect(leaving.map { !others.contains($0) } == true)
        }
    }

    @Test func closedConnectionsAreNotCounted() {
        var limiter = makeLimiter(2, perAddress: 2)
        for _ in 0..<100 {
            let (peer, leaving) = limiter.enter("a")
            #expect(leaving == nil)
            limiter.left(peer)
            limiter.left(peer)
        }
        #expect(limiter.count == 0)
    }

    /// Waiting connections and connections with a known peer never replace each other.
    @Test func connectionsBeforeTheirProxyHeaderHaveTheirOwnLimit() {
        var limiter = makeLimiter(2, perAddress: 2, beforeProxyHeader: 3)
        let known = [limiter.enter("a").newcomer, limiter.enter("b").newcomer]
        let waiting = (0..<3).map { _ in limiter.enterBeforeProxyHeader() }
        #expect(waiting.allSatisfy { $0.leaving == nil })
        for peer in waiting {
            let leaving = limiter.enterBeforeProxyHeader().leaving
            #expect(leaving == peer.newcomer)
            #expect(limiter.countBeforeProxyHeader == 3 && limiter.count == 2)
        }
        let leaving = limiter.enter("c").leaving
        #expect(leaving == known[0])
        #expect(limiter.countBeforeProxyHeader == 3)
    }

    @Test func connectionWithItsProxyHeaderMakesRoom() {
        var limiter = makeLimiter(2, perAddress: 2, beforeProxyHeader: 1)
        for _ in 0..<10 {
            let (peer, leaving) = limiter.enterBeforeProxyHeader()
            #expect(leaving == nil)
            limiter.left(peer)
            limiter.left(peer)
        }
        #expect(limiter.countBeforeProxyHeader == 0 && limiter.count == 0)
    }

    /// A host with one IPv6 address usually has the whole /64 network, which is 2⁶⁴ addresses. So the limiter counts a
    /// /64 network as one address.
    @Test(arguments: [
        ("192.0.2.1", "192.0.2.1", true), ("192.0.2.1", "192.0.2.2", false),
        ("::ffff:192.0.2.1", "192.0.2.1", true), ("::ffff:192.0.2.1", "::ffff:192.0.2.2", false),
        ("2001:db8:1:2:3:4:5:6", "2001:db8:1:2::1", true), ("2001:db8:1:2::1", "2001:db8:1:3::1", false),
    ])
    func addressesAreGroupedByOwner(left: String, right: String, isOne: Bool) throws {
        let addresses = try [left, right].enumerated().map { index, text in
            PreAuthenticationLimiter.address(of: try SocketAddress(ipAddress: text, port: 1_000 + index))
        }
        #expect((addresses[0] == addresses[1]) == isOne, "\(addresses)")
    }
}
