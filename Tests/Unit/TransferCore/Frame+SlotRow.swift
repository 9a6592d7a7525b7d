import TransferCore
import WireProtocol

extension Frame {
    /// The row of the table that the frame is judged by; `nil` for one that no agent sends in a slot.
    var slotFrame: SlotState.Frame? {
        SlotState.Frame.allCases.first { $0.rawValue == type.description }
    }
}
