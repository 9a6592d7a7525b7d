import RepositoryFiles
import Testing
import TransferCommon
import TransferCore

@Suite struct ReservationsTests {
    private static let one = GatewayDriver.device.fingerprint
    private static let other = GatewayDriver.otherDevice.fingerprint

    private static func reservations() -> Reservations {
        var reservations = Reservations(bytesMax: 1_000)
        _ = reservations.reserve(600, device: one, deviceMax: 800)
        return reservations
    }

    @Test func theTableIsTrue() throws {
        var reservations = Self.reservations()
        var states = ["\(reservations.state)"]
        #expect(reservations.reserve(500, device: Self.other, deviceMax: 800) == false)
        states.append("\(reservations.state)")
        reservations.madeRoom()
        states.append("\(reservations.state)")
        let changes = zip(states, states.dropFirst()).map { TransitionTable.Row(from: $0, to: $1) }
        #expect(try TransitionTable.rows(of: "Sources/TransferCore/Gateway/Parts/Reservations.swift") == changes)
    }

    @Test func aDeviceAtItsOwnLimitNeedsNoRoom() {
        var reservations = Self.reservations()
        #expect(reservations.reserve(1, device: Self.one, deviceMax: 800) == false)
        #expect(reservations.state == .enough)
        #expect(reservations.bytesReserved == 600 && reservations.bytesReserved(device: Self.one) == 600)
    }

    /// Parts may take three quarters of a budget, and initial credit half of that.
    @Test func initialCreditKeepsHalfOfTheBudgetsFree() {
        var reservations = Reservations(bytesMax: 1_000)
        #expect(reservations.reserveCredit(301, device: Self.one, deviceMax: 800) == false)
        #expect(reservations.reserveCredit(300, device: Self.one, deviceMax: 800) == true)
        #expect(reservations.reserveCredit(76, device: Self.other, deviceMax: 800) == false)
        #expect(reservations.reserveCredit(75, device: Self.other, deviceMax: 800) == true)
        #expect(reservations.state == .enough)
    }

    // MARK: Tables of stored parts

    /// Whatever parts and lists hold, a quarter of each budget is left for tables. Tables hold at most half.
    @Test func partsLeaveRoomForTables() {
        var reservations = Reservations(bytesMax: 1_000)
        #expect(reservations.reserve(601, device: Self.one, deviceMax: 800) == false)
        #expect(reservations.state == .enough, "the device has reached its own limit")
        #expect(reservations.reserve(600, device: Self.one, deviceMax: 800) == true)
        #expect(reservations.reserve(151, device: Self.other, deviceMax: 800) == false)
        #expect(reservations.state == .short)
        #expect(reservations.reserve(150, device: Self.other, deviceMax: 800) == true)
        #expect(reservations.reserveTable(201, device: Self.one, deviceMax: 800) == false)
        #expect(reservations.reserveTable(200, device: Self.one, deviceMax: 800) == true)
        #expect(reservations.reserveTable(51, device: Self.other, deviceMax: 800) == false)
        #expect(reservations.reserveTable(50, device: Self.other, deviceMax: 800) == true)
        #expect(reservations.bytesReserved == 1_000)
    }

    @Test func tablesTakeAtMostHalf() {
        var reservations = Reservations(bytesMax: 1_000)
        #expect(reservations.reserveTable(401, device: Self.one, deviceMax: 800) == false)
        #expect(reservations.reserveTable(400, device: Self.one, deviceMax: 800) == true)
        #expect(!reservations.isTableWithinOwnLimit(1, device: Self.one, deviceMax: 800))
        #expect(reservations.isTableWithinOwnLimit(101, device: Self.other, deviceMax: 800))
        #expect(reservations.reserveTable(101, device: Self.other, deviceMax: 800) == false)
        #expect(reservations.reserveTable(100, device: Self.other, deviceMax: 800) == true)
        #expect(reservations.tableHolders == [Self.one, Self.other])
        // The tables leave half of the budget to parts.
        #expect(reservations.reserve(500, device: Self.other, deviceMax: 800) == true)
        reservations.releaseTable(MemoryHolding(device: Self.one, bytes: 400))
        #expect(reservations.tableHolders == [Self.other] && reservations.bytesReserved == 600)
        #expect(reservations.tableBytes(device: Self.other) == 100)
    }

    // MARK: Lists of aborted completions

    @Test func listIsHeldUntilItsCallIsAnswered() {
        var reservations = Self.reservations()
        reservations.keep(MemoryHolding(device: Self.one, bytes: 600), until: StoreRequestID(7))
        reservations.answered(StoreRequestID(6))
        #expect(reservations.bytesReserved == 600 && reservations.heldByCalls.map(\.bytes) == [600])
        reservations.answered(StoreRequestID(7))
        reservations.answered(StoreRequestID(7))
        #expect(reservations.bytesReserved == 0 && reservations.heldByCalls.isEmpty)
    }

    @Test func undecidedBytesAreCountedUntilTheDecision() {
        var reservations = Self.reservations()
        let id = ConnectionID(1)
        for _ in 0..<2 { reservations.offered(on: id) }
        reservations.receivedUndecided(70, on: id)
        reservations.receivedUndecided(30, on: id)
        #expect(reservations.undecidedBytes(on: id) == 100 && reservations.undecidedParts(on: id) == 2)
        reservations.decided(on: id, received: 70)
        #expect(reservations.undecidedBytes(on: id) == 30 && reservations.undecidedParts(on: id) == 1)
        reservations.closed(id)
        reservations.decided(on: id, received: 30)
        #expect(reservations.undecidedBytes(on: id) == 0 && reservations.undecidedParts(on: id) == 0)
    }
}
