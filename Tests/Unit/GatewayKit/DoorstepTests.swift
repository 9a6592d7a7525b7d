import GatewayKit
import NIOCore
import Testing
import TransferCommon
import TransferCore

/// Tests of the limiter for unauthenticated connections: which connections it admits, and which ones it closes.
@Suite struct DoorstepTests {
    private func doorstep(_ strangersMax: Int, perAddress: Int) -> Doorstep {
        var limits = GatewayLimits(
            parts: PartRule(
                partBytesMin: 1, partBytesMax: 1 << 30, partBytesDefault: 1, partsMax: 10_000, objectBytesMax: 1 << 40))
        limits.strangersMax = strangersMax
        limits.strangersPerAddressMax = perAddress
        return Doorstep(limits)
    }

    @Test func anAddressWithTooManyLosesItsOldest() {
        var doorstep = doorstep(10, perAddress: 3)
        let first = (0..<3).map { _ in doorstep.enter("a") }
        #expect(first.allSatisfy { $0.leaving == nil })
        #expect(doorstep.enter("b").leaving == nil)
        #expect(doorstep.enter("a").leaving == first[0].newcomer)
        #expect(doorstep.enter("a").leaving == first[1].newcomer)
        #expect(doorstep.count == 4)
    }

    /// A single connection from an address is admitted, and stays until the busiest address has as few connections.
    @Test func whereAllAreTooManyTheCrowdMakesRoom() {
        var doorstep = doorstep(12, perAddress: 8)
        let crowd = (0..<8).map { _ in doorstep.enter("crowd").newcomer }
        let others = (0..<4).map { doorstep.enter("other-\($0)").newcomer }
        for number in 0..<6 {
            let leaving = doorstep.enter("new-\(number)").leaving
            #expect(leaving == crowd[number])
            #expect(doorstep.count == 12)
        }
        // An address with as many connections as before can only replace its own.
        for _ in 0..<100 {
            let leaving = doorstep.enter("crowd").leaving
            #expect(leaving.map { !others.contains($0) } == true)
        }
    }

    @Test func whoeverHasLeftCountsNoMore() {
        var doorstep = doorstep(2, perAddress: 2)
        for _ in 0..<100 {
            let (stranger, leaving) = doorstep.enter("a")
            #expect(leaving == nil)
            doorstep.left(stranger)
            doorstep.left(stranger)
        }
        #expect(doorstep.count == 0)
    }

    /// A host with one IPv6 address usually has the whole /64 network, which is 2⁶⁴ addresses.
    @Test(arguments: [
        ("192.0.2.1", "192.0.2.1", true), ("192.0.2.1", "192.0.2.2", false),
        ("::ffff:192.0.2.1", "192.0.2.1", true), ("::ffff:192.0.2.1", "::ffff:192.0.2.2", false),
        ("2001:db8:1:2:3:4:5:6", "2001:db8:1:2::1", true), ("2001:db8:1:2::1", "2001:db8:1:3::1", false),
    ])
    func addressesAreOneWhereOneOwnerHasThem(left: String, right: String, isOne: Bool) throws {
        let addresses = try [left, right].enumerated().map { index, text in
            Doorstep.address(of: try SocketAddress(ipAddress: text, port: 1_000 + index))
        }
        #expect((addresses[0] == addresses[1]) == isOne, "\(addresses)")
    }
}
