import RepositoryFiles
import Testing
import TransferCommon
import TransferCore

@Suite struct ReservationsTests {
    private static let one = GatewayDriver.device.fingerprint
    private static let other = GatewayDriver.otherDevice.fingerprint

    private static func reservations() -> Reservations {
        var reservations = Reservations(bytesMax: 1_000)
        _ = reservations.reserve(600, device: one, deviceMax: 600)
        return reservations
    }

    @Test func theTableIsTrue() throws {
        var reservations = Self.reservations()
        var states = ["\(reservations.state)"]
        #expect(reservations.reserve(500, device: Self.other, deviceMax: 600) == false)
        states.append("\(reservations.state)")
        reservations.madeRoom()
        states.append("\(reservations.state)")
        let changes = zip(states, states.dropFirst()).map { TransitionTable.Row(from: $0, to: $1) }
        #expect(try TransitionTable.rows(of: "Sources/TransferCore/Gateway/Parts/Reservations.swift") == changes)
    }

    @Test func aDeviceAtItsOwnLimitNeedsNoRoom() {
        var reservations = Self.reservations()
        #expect(reservations.reserve(1, device: Self.one, deviceMax: 600) == false)
        #expect(reservations.state == .enough)
        #expect(reservations.bytesReserved == 600 && reservations.bytesReserved(device: Self.one) == 600)
    }

    @Test func initialCreditKeepsHalfOfTheBudgetsFree() {
        var reservations = Reservations(bytesMax: 1_000)
        #expect(reservations.reserveCredit(400, device: Self.one, deviceMax: 600) == false)
        #expect(reservations.reserveCredit(300, device: Self.one, deviceMax: 600) == true)
        #expect(reservations.reserveCredit(201, device: Self.other, deviceMax: 600) == false)
        #expect(reservations.reserveCredit(200, device: Self.other, deviceMax: 600) == true)
        #expect(reservations.state == .enough)
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
