import TransferCommon

extension PartTransfer {
    /// Makes room for one part of another upload, while this upload keeps all its parts: one of them no longer counts
    /// against the concurrency. The stream takes up no further part before that one is stored, so that it does not keep
    /// more and more parts in memory.
    mutating func lendRoom(_ context: inout AgentContext) {
        guard let number = parts.numbers.first(where: { parts[$0]?.isCounted == true }) else { return }
        parts[number]?.lend()
        context.partsUnderWay -= 1
    }
}
