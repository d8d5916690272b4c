// Messages that every actor of the daemon may be sent.
#pragma once

#include <memory>
#include <typeindex>
#include <utility>

#include <caf/all.hpp>

namespace merpati::runtime {

/// Please finish in order: end what is under way, refuse what is new, then quit. The supervisor kills whoever has not
/// quit by its deadline.
struct stop_request {};

/// Something another actor tells a session: an immutable value of any type, shared and never copied.
///   caf::anon_send(sink, notice::of(std::make_shared<const mailbox_update>(...)));
///   if (auto update = event.notice().get<mailbox_update>()) ...
class notice {
public:
  notice() : type_(typeid(void)) {}
  template <class T>
  static notice of(std::shared_ptr<const T> value) {
    notice made;
    made.type_ = typeid(T);
    made.value_ = std::move(value);
    return made;
  }

  /// The value when it is a T, else null. The pointer lives as long as the notice.
  template <class T>
  const T* get() const noexcept {
    return type_ == std::type_index(typeid(T)) ? static_cast<const T*>(value_.get()) : nullptr;
  }
  /// The same, to keep it.
  template <class T>
  std::shared_ptr<const T> share() const noexcept {
    return type_ == std::type_index(typeid(T)) ? std::static_pointer_cast<const T>(value_) : nullptr;
  }

private:
  std::type_index type_;
  std::shared_ptr<const void> value_;
};

} // namespace merpati::runtime

CAF_ALLOW_UNSAFE_MESSAGE_TYPE(merpati::runtime::stop_request)
CAF_ALLOW_UNSAFE_MESSAGE_TYPE(merpati::runtime::notice)

namespace merpati::runtime {

/// Whoever takes notices. A session's handle converts to it.
using notice_sink = caf::typed_actor<caf::reacts_to<notice>>;

} // namespace merpati::runtime
