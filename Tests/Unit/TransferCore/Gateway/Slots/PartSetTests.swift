import Testing
import TransferCommon
import TransferCore

@Suite struct PartSetTests {
    @Test func numbersAreRemovedInOrder() throws {
        var parts = PartSet()
        for value in [10_000, 1, 63, 64, 65, 128, 64] as [UInt32] { parts.insert(try #require(PartNumber(value))) }
        #expect(parts.count == 6)
        for value in [1, 63, 64, 65, 128, 10_000] as [UInt32] {
            let number = try #require(PartNumber(value))
            #expect(parts.contains(number))
            #expect(parts.removeFirst() == number)
            #expect(!parts.contains(number))
        }
        #expect(parts.isEmpty && parts.removeFirst() == nil)
        parts.insert(try #require(PartNumber(2)))
        #expect(parts.removeFirst()?.value == 2)
    }

    @Test func theLongestListTakesLittleMemory() throws {
        var parts = PartSet()
        #expect(try !parts.contains(#require(PartNumber(10_000))))
        parts.insert(try #require(PartNumber(10_000)))
        #expect(parts.memoryBytes < 1_400)
    }
}
